import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from '../../../src/sdk.ts';
import { readBlocker } from '../session/blocker.ts';
import { quoteText } from '../quote.ts';
import { openSession, withReading } from '../session/session.ts';
import type { Server, Session } from '../session/session.ts';
import { parseLsn } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import { dropSlot } from './slot.ts';
import { readVisibility, sees } from './snapshots.ts';
import type { Visibility } from './snapshots.ts';

/** How often it is looked whether a transaction has become visible (ms). */
const LOOK_MS = 20;
/** From this time on it is worth naming who is waited for (ms). */
const NAME_AFTER_MS = 5000;

/**
 * Makes the slot anew. Whatever commits after the place that is returned comes through it, and every snapshot that is taken from now on sees all that
 * committed before: the server writes a commit into the log before others can see it, with synchronous replication long before.
 *
 * The server waits for every transaction that is writing just now.
 *
 * @throws {TrueupError} `E_BUSY` when they take longer than `log.slotTimeout`, with the oldest of them by name
 */
export async function makeSlot(server: Server, name: string, signal: AbortSignal): Promise<Lsn> {
  await withReading(server, signal, (session) => dropSlot(session, name));
  const session = await openSession(server, { purpose: 'log', signal });
  try {
    const { lsn, snapshot } = await withinTimeout(server, session, name, signal, () => create(session, name, server.options.log.failover));
    const before = await visibleIn(server, snapshot, signal);
    await withinTimeout(server, session, name, signal, () => untilVisible(server, before, signal));
    return lsn;
  } finally {
    await session.close();
  }
}

async function create(session: Session, name: string, failover: boolean): Promise<{ readonly lsn: Lsn; readonly snapshot: string }> {
  // Before PostgreSQL 15 options have no brackets.
  const options = failover ? `(SNAPSHOT 'export', FAILOVER true)` : 'EXPORT_SNAPSHOT';
  const [row] = await session.query(`CREATE_REPLICATION_SLOT "${name}" LOGICAL pgoutput ${options}`);
  const lsn = parseLsn(row?.[1] ?? '');
  if (lsn === null) throw new TrueupError('E_BUG', `The server made slot '${name}' without saying where it begins.`);
  return { lsn, snapshot: row?.[2] ?? '' };
}

/** What had committed when the slot began, by the log. */
async function visibleIn(server: Server, snapshot: string, signal: AbortSignal): Promise<Visibility> {
  return withReading(server, signal, async (session) => {
    await session.query('begin isolation level repeatable read read only');
    await session.query(`set transaction snapshot ${quoteText(snapshot)}`);
    const visible = await readVisibility(session);
    await session.query('commit');
    return visible;
  });
}

async function untilVisible(server: Server, before: Visibility, signal: AbortSignal): Promise<void> {
  for (;;) {
    const now = await withReading(server, signal, readVisibility);
    if (!missing(now, before)) return;
    await sleep(LOOK_MS, undefined, { signal });
  }
}

/** Whether something that had committed by the log cannot be seen yet. */
function missing(now: Visibility, before: Visibility): boolean {
  if ([...now.running].some((xid) => sees(before, xid))) return true;
  for (let xid = now.xmax; xid < before.xmax; xid += 1n) if (sees(before, xid)) return true;
  return false;
}

async function withinTimeout<T>(server: Server, session: Session, slot: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const { slotTimeout } = server.options.log;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), slotTimeout);
  const named = setTimeout(() => {
    void blockerText(server, signal).then((by) =>
      server.context.log.info({ slot, blocker: by }, `slot '${slot}' is made as soon as the transactions that write now have ended`),
    );
  }, NAME_AFTER_MS);
  const unwatch = session.watch(AbortSignal.any([signal, over.signal]));
  try {
    return await work();
  } catch (error) {
    if (!over.signal.aborted || signal.aborted) throw error;
    throw new TrueupError(
      'E_BUSY',
      `Slot '${slot}' could not be made within ${slotTimeout} ms: it waits for ${await blockerText(server, signal)}.`,
      {
        cause: error,
        hint: 'A slot begins between transactions: end the one that is open, or raise `log.slotTimeout` of the connection.',
      },
    );
  } finally {
    unwatch();
    clearTimeout(timer);
    clearTimeout(named);
  }
}

async function blockerText(server: Server, signal: AbortSignal): Promise<string> {
  const blocker = await withReading(server, signal, (session) =>
    readBlocker(session, { ownPids: new Set(), minAgeMs: 0, stream: '', relation: null }),
  ).catch(() => null);
  return blocker === null
    ? 'a transaction that is writing'
    : `${blocker.by}${blocker.since === undefined ? '' : ` since ${blocker.since}`}`;
}
