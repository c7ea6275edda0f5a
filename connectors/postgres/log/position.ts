import { TrueupError } from '../../../src/sdk.ts';
import { readServerFacts } from '../session/server-facts.ts';
import { openSession, withReading } from '../session/session.ts';
import type { Server, Session } from '../session/session.ts';
import type { parseLogCursor } from './cursor.ts';
import { lsnText, parseLsn } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import { freeSlot, readSlot } from './slot.ts';
import type { Slot } from './slot.ts';

export interface LogPosition {
  readonly at: Lsn;
  /** What the server was told so far. */
  readonly confirmed: Lsn;
  readonly timeline: string;
}

/**
 * Where to go on from. Looks first whether the server can still deliver everything after the cursor.
 *
 * @param cursor `null`: whatever the slot holds
 * @throws {TrueupError} `E_POSITION_LOST` when something in between is gone, or may be
 */
export async function findPosition(
  server: Server,
  name: string,
  cursor: ReturnType<typeof parseLogCursor> | null,
  signal: AbortSignal,
): Promise<LogPosition> {
  const { slot, timeline, end } = await withReading(server, signal, async (session) => {
    await freeSlot(session, name);
    const facts = await readServerFacts(session);
    return { slot: await usableSlot(session, name), timeline: facts.timeline, end: await readEnd(session) };
  });
  const confirmed = slot.confirmed ?? 0n;
  if (cursor === null) return { at: confirmed, confirmed, timeline };
  if (cursor.slot !== name) throw lost(`the checkpoint belongs to slot '${cursor.slot}', and the connection now names '${name}'`);
  if (confirmed > cursor.at)
    throw lost(
      `slot '${name}' begins at ${lsnText(confirmed)}, after the checkpoint's ${cursor.lsn}: it was made anew, or somebody else has read from it`,
    );
  if (end < cursor.at) throw lost(`the log ends at ${lsnText(end)}, before the checkpoint's ${cursor.lsn}: the server was set back`);
  if (cursor.timeline !== timeline) await refuseDivergence(server, cursor, timeline, signal);
  return { at: cursor.at, confirmed, timeline };
}

function lost(why: string): TrueupError {
  return new TrueupError('E_POSITION_LOST', `The log cannot be read on without a gap: ${why}.`);
}

async function usableSlot(session: Session, name: string): Promise<Slot> {
  const slot = await readSlot(session, name);
  if (slot === null) throw lost(`slot '${name}' is not there`);
  if (slot.lostBecause !== null) throw lost(`slot '${name}' was given up by the server (${slot.lostBecause})`);
  if (slot.plugin !== 'pgoutput')
    throw new TrueupError(
      'E_CHANGES_UNSUPPORTED',
      `Replication slot '${name}' has plugin '${slot.plugin ?? ''}', expected pgoutput. Name another slot.`,
    );
  const [row] = await session.query('select pg_catalog.current_database()');
  if (slot.database !== row?.[0]) throw lost(`slot '${name}' belongs to database '${slot.database ?? ''}'`);
  return slot;
}

async function readEnd(session: Session): Promise<Lsn> {
  const [row] = await session.query('select pg_catalog.pg_current_wal_lsn()::text');
  return parseLsn(row?.[0] ?? '') ?? 0n;
}

/** After a failover the new primary may lack the end of the old one's log, and what it wrote instead has the same places. */
async function refuseDivergence(
  server: Server,
  cursor: ReturnType<typeof parseLogCursor>,
  timeline: string,
  signal: AbortSignal,
): Promise<void> {
  const session = await openSession(server, { purpose: 'log', signal });
  try {
    const [row] = await session.run(signal, () => session.query(`TIMELINE_HISTORY ${Number.parseInt(timeline, 16)}`));
    const left = switchPoint(row?.[1] ?? '', Number.parseInt(cursor.timeline, 16));
    if (left === null) throw lost(`the server is on timeline ${timeline}, which does not go back to the checkpoint's ${cursor.timeline}`);
    if (left < cursor.at)
      throw lost(
        `the server left timeline ${cursor.timeline} at ${lsnText(left)}, before the checkpoint's ${cursor.lsn}: after a failover it does not have all that was delivered`,
      );
  } finally {
    await session.close();
  }
}

/** Where a timeline ends by a history file, whose lines are `timeline, place, reason`. `null`: it is not in it. */
export function switchPoint(history: string, timeline: number): Lsn | null {
  for (const line of history.split('\n')) {
    const parts = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line);
    if (parts !== null && Number(parts[1]) === timeline) return parseLsn(parts[2] ?? '');
  }
  return null;
}

/**
 * A place that the log has to be read up to, so that everything is delivered that had committed before the call: also what was committed without waiting
 * for the disk, which others see before it is in the log that can be read.
 */
export async function drainTarget(server: Server, signal: AbortSignal): Promise<Lsn> {
  return withReading(server, signal, async (session) => {
    const [row] = await session.query('select pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.pg_current_wal_flush_lsn()::text');
    const [inserted, flushed] = [parseLsn(row?.[0] ?? '') ?? 0n, parseLsn(row?.[1] ?? '') ?? 0n];
    if (inserted <= flushed) return inserted;
    await session.query('begin; set local synchronous_commit to local');
    const [written] = await session.query(`select pg_catalog.pg_logical_emit_message(true, 'trueup', '')::text`);
    await session.query('commit');
    return parseLsn(written?.[0] ?? '') ?? inserted;
  });
}
