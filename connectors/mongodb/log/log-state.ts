import type { LogState } from '../../../src/sdk.ts';
import type { Session } from '../session.ts';
import { clusterTimeOf, timeMs } from './cluster-time.ts';
import type { ClusterTime } from './cluster-time.ts';
import { positionText, timeOfCursor } from './cursor.ts';
import type { LogCursor } from './cursor.ts';

/** Below this share of what the oplog holds, a position is close to its end. */
const CLOSE = 0.25;
/** An oplog that lasts no longer is gone over night (ms). */
const SHORT_MS = 24 * 60 * 60 * 1000;

/** How long the oplog still reaches back beyond a position. `null`: the role may not look into it, or it is not one oplog, as in clusters. */
export async function readLogState(session: Session, cursor: LogCursor | null, signal: AbortSignal): Promise<LogState | null> {
  const { applied, kind } = await session.facts(signal);
  if (cursor === null || applied === null || kind !== 'set') return null;
  const first = await oldest(session, signal);
  if (first === null) return null;
  const at = timeOfCursor(cursor);
  const windowMs = Math.max(0, timeMs(at) - timeMs(first.time));
  return { windowMs, warnings: first.isFirstEver ? [] : warningsOf({ at, first: first.time, applied, windowMs }) };
}

interface Oldest {
  readonly time: ClusterTime;
  /** The set began with it: nothing was taken off the oplog yet, so nothing is known of how long it lasts. */
  readonly isFirstEver: boolean;
}

async function oldest(session: Session, signal: AbortSignal): Promise<Oldest | null> {
  return session.run(signal, async (_db, client) => {
    const oplog = client.db('local').collection('oplog.rs');
    try {
      const found = await oplog.findOne(
        {},
        { sort: { $natural: 1 }, projection: { ts: 1, 'o.msg': 1 }, signal, readConcern: { level: 'local' } },
      );
      const time = clusterTimeOf(found?.['ts']);
      return time === null
        ? null
        : { time, isFirstEver: (found?.['o'] as { readonly msg?: unknown } | undefined)?.msg === 'initiating set' };
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 13) return null; // Unauthorized
      throw error;
    }
  });
}

interface Reach {
  readonly at: ClusterTime;
  readonly first: ClusterTime;
  readonly applied: ClusterTime;
  readonly windowMs: number;
}

function warningsOf({ at, first, applied, windowMs }: Reach): string[] {
  if (at < first) return [`the oplog begins at ${positionText(first)} by now: the position ${positionText(at)} is lost`];
  const spanMs = timeMs(applied) - timeMs(first);
  if (windowMs < spanMs * CLOSE)
    return [
      `the oplog reaches back ${hours(spanMs)}, and the position is gone in about ${hours(windowMs)}: run the job, or enlarge the oplog (replSetResizeOplog)`,
    ];
  if (spanMs < SHORT_MS)
    return [
      `the oplog reaches back ${hours(spanMs)} only: a job that does not run for so long is loaded again; replSetResizeOplog enlarges it`,
    ];
  return [];
}

function hours(ms: number): string {
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
