import { TrueupError } from '../../../src/sdk.ts';
import type { StreamRef } from '../../../src/sdk.ts';
import type { Session } from '../session.ts';
import { clusterTimeOf } from './cluster-time.ts';
import { cursorAtTime } from './cursor.ts';
import type { LogCursor } from './cursor.ts';

/**
 * A cursor that everything committed from now on comes after: the time that a majority has reached, which no failover takes back. Whoever loads the collections then reads
 * them at that time or later; what a majority gets only later is later in the log.
 */
export async function startOfLog(session: Session, streams: readonly StreamRef[], signal: AbortSignal): Promise<LogCursor> {
  const name = streams[0]?.name ?? '';
  const answer = await session.run(signal, (db) =>
    db.command({ find: name, limit: 1, projection: { _id: 1 }, readConcern: { level: 'majority' } }, {
      signal,
      readPreference: 'primary',
    } as object),
  );
  const time = clusterTimeOf(answer['operationTime']);
  if (time === null)
    throw new TrueupError('E_CHANGES_UNSUPPORTED', `${session.where.address} is no replica set, and only those keep a log of changes.`);
  return cursorAtTime(time + 1n);
}
