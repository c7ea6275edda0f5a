import { TrueupError } from '../../../src/sdk.ts';
import type { Batch } from '../../../src/sdk.ts';
import { beforeFloor, floorRule, takeFence } from './clock.ts';
import type { FloorRule, LiveFence } from './clock.ts';
import type { ChangesCursor } from './cursor.ts';
import { readOpenTransactions, settleFences, storedFences } from './fence.ts';
import type { Fence } from './fence.ts';
import { newestSql } from './pass-sql.ts';
import { readPass } from './pass.ts';
import type { PassSetup } from './pass.ts';
import type { Reading } from '../read/reading.ts';
import { columnSequence, readServerFacts } from '../session/server-facts.ts';
import type { Session } from '../session/session.ts';
import type { SourceContext, StreamReader } from '../read/stream-reader.ts';

/** How passes of one read are made. */
export interface DrainSetup {
  readonly context: SourceContext;
  readonly reader: StreamReader;
  readonly limits: PassSetup['limits'];
}

/** What is true at the beginning of a pass, settled before its snapshot. */
export interface PassStart {
  readonly cursor: ChangesCursor;
  readonly rule: FloorRule;
  readonly reading: Reading;
  /** The newest position passed; else the floor of the cursor. */
  readonly floor: string | null;
  readonly fences: readonly Fence[];
}

/** Looks at the server and at the fences, those of the cursor and a new one. */
export async function startPass({ context, reader }: DrainSetup, from: ChangesCursor): Promise<PassStart> {
  const session = await reader.session();
  const reading = await reader.reading();
  const facts = await readServerFacts(session);
  const cursor = await afterFailover(session, reading, from, facts.timeline);
  const sequence = reading.orderKind === 'counter' ? await columnSequence(session, reading) : null;
  const rule = floorRule(reading, { standby: facts.standby, cachedSequence: (sequence?.cache ?? 1) > 1 });
  if (rule !== 'fence') return { cursor, rule, reading, floor: rule === 'still' ? null : cursor.floor, fences: [] };
  const fence = await takeFence(context, session, reading);
  const settled = settleFences<Fence>([...cursor.fences, ...(fence === null ? [] : [fence])], await openNow(context, session));
  return { cursor, rule, reading, floor: settled.passed?.u ?? cursor.floor, fences: storedFences(settled.pending) };
}

export async function openNow(context: SourceContext, session: Session) {
  return context.withoutFence ? { vxids: new Set<string>(), prepared: false } : readOpenTransactions(session, context.pids);
}

/**
 * After a failover the new primary may have given a transaction id to another transaction than the old one had, so none can be compared:
 * everything from ten minutes before the floor is read again, once.
 */
export async function afterFailover(session: Session, reading: Reading, cursor: ChangesCursor, timeline: string): Promise<ChangesCursor> {
  if (cursor.timeline === null || cursor.timeline === timeline) return { ...cursor, timeline };
  return { ...cursor, timeline, horizon: null, floor: await beforeFloor(session, reading, cursor.floor), fences: [], pass: null };
}

export function passSetup({ context, limits }: DrainSetup, start: PassStart, upper: LiveFence | null, progress = true): PassSetup {
  return {
    limits,
    maxSnapshotMs: context.server.options.fence.maxSnapshot,
    floor: upper?.u ?? start.floor,
    lookback: start.rule === 'lookback',
    fences: start.fences,
    upper: upper?.upper ?? null,
    progress,
  };
}

/**
 * Everything that was committed before the call. A pass that an earlier call left unfinished is finished first; it says nothing of what was
 * committed since its own beginning, so another follows it.
 */
export async function* readDrain(setup: DrainSetup, from: ChangesCursor): AsyncGenerator<Batch, ChangesCursor> {
  let cursor = from;
  for (;;) {
    const start = await startPass(setup, cursor);
    const resumed = start.cursor.pass !== null;
    cursor = yield* readPass(setup.reader, start.cursor, passSetup(setup, start, null, !resumed));
    if (!resumed) return cursor;
  }
}

/** A cursor that everything committed from now on comes after. */
export async function startCursorOf(setup: DrainSetup): Promise<ChangesCursor> {
  const { reader } = setup;
  const blank: ChangesCursor = { kind: 'changes', head: null, floor: null, horizon: null, fences: [], timeline: null, pass: null };
  const start = await startAfterFence(setup, blank);
  const snapshot = await reader.begin();
  const head = start.reading.order === null ? null : await newestPlace(await reader.session(), snapshot.reading);
  await reader.end();
  return { ...start.cursor, head, floor: start.floor, fences: start.fences, horizon: snapshot.horizon };
}

/** Without a floor the first pass looks at the whole stream, so a moment is worth waiting for the fence. */
const PATIENCE_MS = 1500;

async function startAfterFence({ context, reader, limits }: DrainSetup, blank: ChangesCursor): Promise<PassStart> {
  let start = await startPass({ context, reader, limits }, blank);
  for (
    const until = performance.now() + PATIENCE_MS;
    start.rule === 'fence' && start.floor === null && start.fences.length > 0 && performance.now() < until;
  ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    start = await startPass({ context, reader, limits }, { ...start.cursor, fences: start.fences });
  }
  return start;
}

async function newestPlace(session: Session, reading: Reading): Promise<ChangesCursor['head']> {
  const [row] = await session.query(newestSql(reading));
  if (row === undefined) return null;
  if (row.includes(null))
    throw new TrueupError('E_STREAM_KEY', `The newest row of '${reading.ref.name}' has NULL in its key (${reading.ref.key.join(', ')}).`);
  const [c, ...k] = row as readonly string[];
  return { c: c as string, k };
}
