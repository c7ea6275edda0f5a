import type { Batch } from '../../../src/sdk.ts';
import { lookbackFloor } from './clock.ts';
import { batchOf, progressOf, readRows } from '../copy/read.ts';
import type { BatchLimits } from '../copy/read.ts';
import { OversizedRowFound } from '../copy/messages.ts';
import type { ReadRows } from '../copy/rows.ts';
import { writeCursor } from './cursor.ts';
import type { ChangesCursor, PassCursor, Phase } from './cursor.ts';
import type { Fence } from './fence.ts';
import { phaseSql } from './pass-sql.ts';
import { asWire, setValues } from '../read/reading.ts';
import type { Reading } from '../read/reading.ts';
import type { Snapshot, StreamReader } from '../read/stream-reader.ts';

/** What was settled before the first snapshot of a pass, and how it reads. */
export interface PassSetup {
  readonly limits: BatchLimits;
  /** How long one snapshot may last, counted from its first row: a sort may rightly take longer before it. */
  readonly maxSnapshotMs: number;
  /** The newest position that a fence had passed; the floor when the pass is done. */
  readonly floor: string | null;
  /** `floor` comes from the newest row instead. */
  readonly lookback: boolean;
  /** Fences that are still waited for, for the cursor at the end. */
  readonly fences: readonly Fence[];
  /** Leave for later what lies beyond. `null`: read on to the end. */
  readonly upper: string | null;
  /** Whether to tell of a pass that delivered nothing. */
  readonly progress: boolean;
}

/**
 * One pass: everything committed before its first snapshot. The cursor of its last batch says so; those before it resume inside the pass. What
 * was committed since that snapshot has a transaction id from its horizon on (`pass.horizon`), wherever its place in the order is, and the next
 * pass finds it by that. So a pass may go on in later snapshots, after a crash or after `maxSnapshotMs`, without losing anything.
 */
export async function* readPass(reader: StreamReader, from: ChangesCursor, setup: PassSetup): AsyncGenerator<Batch, ChangesCursor> {
  let cursor = from;
  let { wire } = setup.limits;
  for (;;) {
    const begun = await reader.begin();
    const snapshot = wire === undefined ? begun : { ...begun, reading: asWire(begun.reading, wire) };
    const phases = phasesOf(snapshot.reading);
    const pass: PassCursor = cursor.pass ?? { phase: phases[0] as Phase, at: null, horizon: snapshot.horizon, floor: setup.floor };
    const step = yield* readPhases({ reader, snapshot, setup, phases }, { ...cursor, pass });
    cursor = step.cursor;
    if (step.done) return cursor;
    if (step.oversized === true) wire = undefined;
    reader.drop();
  }
}

export function phasesOf({ order, orderKind }: Reading): readonly Phase[] {
  if (order === null) return ['scan'];
  return order.notNull && orderKind === 'counter' ? ['late', 'rest'] : ['loose', 'late', 'rest'];
}

interface Step {
  readonly reader: StreamReader;
  readonly snapshot: Snapshot;
  readonly setup: PassSetup;
  readonly phases: readonly Phase[];
}

type InPass = ChangesCursor & { readonly pass: PassCursor };

interface PhasesRead {
  readonly cursor: ChangesCursor;
  readonly done: boolean;
  /** Ended by a row that cannot be handed on as a line. */
  readonly oversized?: boolean;
}

/** As many phases as one snapshot may read. */
async function* readPhases(step: Step, from: InPass): AsyncGenerator<Batch, PhasesRead> {
  const { reader, snapshot, setup, phases } = step;
  const { reading } = snapshot;
  const session = await reader.session();
  let cursor = from;
  let firstRowAt: number | null = null;
  for (const phase of phases.slice(Math.max(0, phases.indexOf(from.pass.phase)))) {
    if (phase !== cursor.pass.phase) cursor = { ...cursor, pass: { ...cursor.pass, phase, at: null } };
    const sql = phaseSql(phase, cursor, snapshot, setup.upper);
    if (sql === null) continue;
    await setValues(session, sql.values);
    try {
      for await (const read of readRows(session, reading, sql.select, setup.limits)) {
        firstRowAt ??= performance.now();
        cursor = advance(cursor, phase, read);
        if (phase === phases.at(-1) && read.last) {
          const done = await finish(step, cursor);
          yield batchOf(reading, read, writeCursor(done));
          await reader.end();
          return { cursor: done, done: true };
        }
        yield batchOf(reading, read, writeCursor(cursor));
        if (performance.now() - firstRowAt > setup.maxSnapshotMs) return { cursor, done: false };
      }
    } catch (error) {
      if (!(error instanceof OversizedRowFound)) throw error;
      return { cursor, done: false, oversized: true };
    }
  }
  const done = await finish(step, cursor);
  await reader.end();
  if (setup.progress) yield progressOf(reading, writeCursor(done), done.head);
  return { cursor: done, done: true };
}

function advance(cursor: InPass, phase: Phase, { place }: ReadRows): InPass {
  if (place === null) return cursor;
  if (phase === 'rest') return { ...cursor, head: { c: place.c as string, k: place.k }, pass: { ...cursor.pass, at: null } };
  const at = phase === 'late' ? [place.c as string, ...place.k] : place.k;
  return { ...cursor, pass: { ...cursor.pass, at } };
}

async function finish({ reader, snapshot, setup }: Step, cursor: InPass): Promise<ChangesCursor> {
  const { horizon, floor } = cursor.pass;
  const back =
    setup.lookback && cursor.head !== null ? await lookbackFloor(await reader.session(), snapshot.reading, cursor.head.c) : floor;
  return { ...cursor, horizon, floor: back, fences: setup.fences, pass: null };
}
