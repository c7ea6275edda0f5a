import type { Cursor, Feed, LogState } from '../../../src/sdk.ts';
import { quoteIdentifier } from '../quote.ts';
import { withReading, withSession } from '../session/session.ts';
import type { Server } from '../session/session.ts';
import { isLogCursor, parseLogCursor } from './cursor.ts';
import { parseLsn } from './lsn.ts';
import { SLOT_PREFIX, namesOf } from './names.ts';
import { dropSlot, readSlot } from './slot.ts';
import type { Slot } from './slot.ts';

/** From this share of what may still be written the server is told to be running out. */
const NEAR_LIMIT = 0.25;
/** So much log kept for a slot that nobody reads is worth a word (bytes). */
const MUCH = 1024 ** 3;

/** How far the log reaches beyond the cursor, and what endangers it. */
export async function readLogState(server: Server, feed: Feed, cursor: Cursor | null, signal: AbortSignal): Promise<LogState> {
  const { slot: name } = namesOf(server, feed);
  return withReading(server, signal, async (session) => {
    const [row] = await session.query('select pg_catalog.pg_current_wal_insert_lsn()::text');
    const end = parseLsn(row?.[0] ?? '') ?? 0n;
    const slot = await readSlot(session, name);
    const at = isLogCursor(cursor) ? parseLogCursor(cursor).at : null;
    return {
      ...(at === null ? {} : { lagBytes: Math.max(0, Number(end - at)) }),
      ...(slot === null ? {} : { retainedBytes: slot.retainedBytes }),
      warnings: slot === null ? [`slot '${name}' is not there: the next run cannot go on`] : slotWarnings(slot),
    };
  });
}

/** What is worth a word before it hurts. */
export function slotWarnings(
  slot: Pick<Slot, 'name' | 'lostBecause' | 'walStatus' | 'safeBytes' | 'retainedBytes' | 'activePid'>,
): string[] {
  const { name, lostBecause, walStatus, safeBytes, retainedBytes, activePid } = slot;
  if (lostBecause !== null) return [`slot '${name}' was given up by the server (${lostBecause}): the next run cannot go on`];
  const warnings: string[] = [];
  if (walStatus === 'unreserved')
    warnings.push(
      `slot '${name}' is about to be given up: the server keeps ${sizeText(retainedBytes)} for it, more than max_slot_wal_keep_size`,
    );
  else if (safeBytes !== null && safeBytes < NEAR_LIMIT * (safeBytes + retainedBytes))
    warnings.push(`slot '${name}' will be given up after ${sizeText(safeBytes)} more of log (max_slot_wal_keep_size)`);
  if (activePid === null && retainedBytes > MUCH)
    warnings.push(`slot '${name}' keeps ${sizeText(retainedBytes)} of log on the server, and nothing reads from it now`);
  return warnings;
}

export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power] ?? ''}`;
}

/** Drops what the feed keeps in the source. A publication that somebody named may be of use to others, and stays. */
export async function releaseLog(server: Server, feed: Feed, signal: AbortSignal): Promise<string[]> {
  const { slot, publication } = namesOf(server, feed);
  return withSession(server, { purpose: 'write', signal }, async (session) => {
    const gone: string[] = [];
    if (await dropSlot(session, slot)) gone.push(`replication slot '${slot}'`);
    if (!publication.startsWith(SLOT_PREFIX)) return gone;
    const [row] = await session.query(
      `select pg_catalog.pg_has_role(p.pubowner, 'usage') from pg_catalog.pg_publication p where p.pubname = $1`,
      [publication],
    );
    if (row?.[0] !== 't') return gone;
    await session.query(`drop publication if exists ${quoteIdentifier(publication)}`);
    return [...gone, `publication '${publication}'`];
  });
}
