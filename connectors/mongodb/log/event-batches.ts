import { OP, TrueupError, cellRecords } from '../../../src/sdk.ts';
import type { Batch, Cell, Cursor, Position, Reject, Row, Shape } from '../../../src/sdk.ts';
import type { BatchLimits, Open } from '../read/batches.ts';
import type { Decoded } from '../read/decode.ts';
import type { Knowledge, Reading } from '../read/reading.ts';
import { positionText } from './cursor.ts';
import type { LogChange, LogEvent } from './event.ts';

/** A change on its way into a batch. */
interface Step {
  readonly event: LogEvent;
  readonly change: Exclude<LogChange, { readonly kind: 'reload' }>;
}

export interface EventBatches {
  readonly knowledge: Knowledge;
  readonly limits: BatchLimits;
  /** By stream. */
  readonly open: ReadonlyMap<string, Open>;
  /** Where a reader stands after an event. */
  cursorAfter(event: LogEvent): Cursor;
}

/**
 * Events as batches of one stream each. Those of several streams are grouped, as many small batches would each be a commit: then only the last batch has a cursor, so that
 * they are committed together and no order between streams is seen. Inside of a transaction there is no cursor either.
 *
 * @param isWhole whether the last event is the last of its transaction
 */
export function* eventBatches(source: EventBatches, events: readonly LogEvent[], isWhole: boolean): Generator<Batch> {
  const streams = new Map<string, Step[]>();
  for (const event of events)
    for (const change of event.changes) {
      if (change.kind === 'reload')
        throw new TrueupError('E_BUG', `Stream '${change.stream}' is to be read again, which no batch of events can tell.`);
      const steps = streams.get(change.stream) ?? [];
      streams.set(change.stream, steps);
      steps.push({ event, change });
    }
  const end = isWhole ? events.at(-1) : undefined;
  const groups = [...streams].map(([stream, steps]) => ({ stream, chunks: [...chunks(steps, source.limits)] }));
  for (const [at, { stream, chunks: parts }] of groups.entries())
    for (const [part, steps] of parts.entries()) {
      const isLast = at === groups.length - 1 && part === parts.length - 1;
      const after = isLast ? end : groups.length === 1 ? cutAfter(steps, parts[part + 1] ?? []) : undefined;
      yield batchOf(source, stream, steps, after === undefined ? null : source.cursorAfter(after));
    }
}

/** The event after which a reader may stop between two parts; `undefined`: not here. */
function cutAfter(before: readonly Step[], after: readonly Step[]): LogEvent | undefined {
  const [last, next] = [before.at(-1)?.event, after[0]?.event];
  if (last === undefined || last === next || (last.transaction !== null && last.transaction === next?.transaction)) return undefined;
  return last;
}

function* chunks(steps: readonly Step[], { batchRows, batchBytes }: BatchLimits): Generator<Step[]> {
  let chunk: Step[] = [];
  let bytes = 0;
  for (const step of steps) {
    const weight = weightOf(step);
    if (chunk.length > 0 && (chunk.length >= batchRows || bytes + weight > batchBytes)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(step);
    bytes += weight;
  }
  if (chunk.length > 0) yield chunk;
}

function weightOf({ change }: Step): number {
  if (change.kind === 'truncate') return 0;
  return change.kind === 'upsert' ? change.document.byteLength : change.key.byteLength + (change.before?.byteLength ?? 0);
}

function batchOf(source: EventBatches, stream: string, steps: readonly Step[], cursor: Cursor | null): Batch {
  const open = source.open.get(stream);
  if (open === undefined) throw new TrueupError('E_BUG', `The log delivered changes of '${stream}', which was not asked for.`);
  const { rows, ops, rejected } = decodeAll(open, steps, source.knowledge);
  const last = steps.at(-1) as Step;
  return {
    stream,
    shape: open.reading.shape,
    records: cellRecords({ rows, bytes: steps.reduce((sum, step) => sum + weightOf(step), 0) }),
    ops: ops.every((op) => op === OP.upsert) ? null : Uint8Array.from(ops),
    distinctKeys: false,
    cursor,
    position: positionOf(last.event),
    ...(rejected.length > 0 ? { rejected } : {}),
  };
}

export function positionOf({ time, timeMs }: Pick<LogEvent, 'time' | 'timeMs'>): Position {
  return { text: positionText(time, timeMs), timeMs };
}

interface DecodedSteps {
  readonly rows: Row[];
  readonly ops: number[];
  readonly rejected: Reject[];
}

/** A value of another type than its field widens the field, and all are decoded anew: a batch has one shape. */
function decodeAll(open: Open, steps: readonly Step[], knowledge: Knowledge): DecodedSteps {
  const done: DecodedSteps = { rows: [], ops: [], rejected: [] };
  for (const { change } of steps) {
    const decoded = decodeChange(open.reading, change);
    if ('deviates' in decoded) {
      const before = open.reading;
      open.reading = knowledge.learn(before, steps.flatMap(documentsOf));
      if (open.reading.layout === before.layout)
        throw new TrueupError('E_BUG', `Field '${decoded.deviates}' of '${before.ref.name}' was not widened to what its documents hold.`);
      return decodeAll(open, steps, knowledge);
    }
    // A document without a key was never delivered, so there is nothing to delete.
    if ('reject' in decoded) {
      if (change.kind !== 'delete') done.rejected.push(decoded.reject);
      continue;
    }
    done.rows.push(decoded.row);
    done.ops.push(OP[change.kind]);
  }
  return done;
}

function documentsOf({ change }: Step): Uint8Array[] {
  if (change.kind === 'truncate') return [];
  return change.kind === 'upsert' ? [change.document] : [change.key, ...(change.before === null ? [] : [change.before])];
}

function decodeChange({ shape, decoder, ref }: Reading, change: Step['change']): Decoded {
  if (change.kind === 'truncate') return { row: shape.fields.map(() => undefined) };
  if (change.kind === 'upsert') return decoder.decode(change.document);
  const key = decoder.decode(change.key);
  if (!('row' in key)) return key;
  if (change.before === null) return { row: only(shape, key.row, shape.key) };
  const before = decoder.decode(change.before);
  if (!('row' in before)) return 'deviates' in before ? before : { row: only(shape, key.row, shape.key) };
  const known = (ref.lookups ?? []).flat().map((name) => shape.fields.findIndex((field) => field.name === name));
  const row = only(shape, before.row, known);
  for (const index of shape.key) row[index] = key.row[index];
  return { row };
}

/** These cells of a row; the others are absent. */
function only(shape: Shape, row: Row, indices: readonly number[]): Cell[] {
  const cells: Cell[] = shape.fields.map(() => undefined);
  for (const index of indices) if (index >= 0) cells[index] = row[index];
  return cells;
}
