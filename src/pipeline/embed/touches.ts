import { TrueupError } from '../../errors.ts';
import type { Cell, Row } from '../../model/cell.ts';
import { OP } from '../../model/change.ts';
import type { Batch, Reject, Source } from '../../model/contracts.ts';
import { cellRecords, decodedCell } from '../../model/records.ts';
import { fieldIndex } from '../../model/shape.ts';
import type { Shape } from '../../model/shape.ts';
import { readWhole } from '../../reconcile/stream-sides.ts';
import { chainName, ownPart } from './embed-ref.ts';
import type { Embed, EmbeddingRef } from './embed-ref.ts';
import { converter, typeOf } from './join-values.ts';

/** Records that are touched together: each is read again with all of its children. */
const MOST_TOUCHES = 1000;

/** Changes of children, and the way up to the records that hold them. */
export interface Climb {
  /** As connectors have it. */
  readonly source: Source;
  readonly ref: EmbeddingRef;
  /** The children whose changes these are, and what lies between them and the records, the outermost first. */
  readonly chain: readonly Embed[];
  readonly signal: AbortSignal;
}

type Values = readonly (readonly Cell[])[];

/**
 * Turns changes of children into touches of the records that hold them now. Where a child is gone without a trace of whose it was, or moved here from
 * elsewhere, the other record is not known: only comparing finds it.
 */
export async function* touches(climb: Climb, batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  for await (const batch of batches) {
    if (batch.stream === null || batch.records.count + (batch.rejected ?? []).length === 0) {
      yield { ...progressOf(climb, batch), cursor: batch.cursor };
      continue;
    }
    const rejected = rejectsOf(climb, batch);
    if (rejected.length > 0) yield { ...touchBatch(climb, batch, []), rejected };
    const sent = new Set<string>();
    for await (const keys of keysOf(climb, batch)) {
      const fresh = keys.filter((key) => !sent.has(textOf(key)));
      for (const key of fresh) if (sent.size < 100_000) sent.add(textOf(key));
      for (let from = 0; from < fresh.length; from += MOST_TOUCHES) yield touchBatch(climb, batch, fresh.slice(from, from + MOST_TOUCHES));
    }
    yield { ...progressOf(climb, batch), cursor: batch.cursor };
  }
}

function textOf(key: readonly Cell[]): string {
  return JSON.stringify(key, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

function progressOf({ ref }: Climb, { position }: Batch): Batch {
  const records = cellRecords({ rows: [], bytes: 0 });
  return { stream: null, shape: ref.shape, records, ops: null, distinctKeys: true, cursor: null, position };
}

function touchBatch({ ref }: Climb, { position }: Batch, keys: Values): Batch {
  const { shape } = ref;
  const rows = keys.map((key) => {
    const row: Cell[] = shape.fields.map(() => undefined);
    shape.key.forEach((field, at) => (row[field] = key[at]));
    return row;
  });
  const ops = new Uint8Array(rows.length).fill(OP.touch);
  return { stream: ref.name, shape, records: cellRecords({ rows, bytes: 0 }), ops, distinctKeys: true, cursor: null, position };
}

/** A child that could not be read, and whose it is, nobody knows. */
function rejectsOf({ chain }: Climb, { rejected = [] }: Batch): Reject[] {
  return rejected.map(({ position, code, message }) => ({
    position: `${chainName(chain)} ${position}`,
    code,
    message: `${chainName(chain)}: ${message}`,
  }));
}

/** The keys of the records that hold the children of a batch, some at a time. */
async function* keysOf(climb: Climb, batch: Batch): AsyncGenerator<Values> {
  const { source, chain, ref, signal } = climb;
  const level = chain.length - 1;
  const embed = chain[level] as Embed;
  if (batch.ops?.includes(OP.truncate) === true) {
    // Every record may have had one of them.
    for await (const all of readWhole(source, { ...ownPart(ref), fields: ref.key, except: [] }, signal)) yield recordKeys(all);
    return;
  }
  const { known, lost } = joined(climb, embed, batch);
  if (known.length > 0) yield* climbFrom(climb, level, known);
  if (lost.length === 0) return;
  const fields = [...new Set([...embed.ref.key, ...embed.on.map(({ child }) => child)])];
  const now = source.fetchBy?.({ ...ownPart(embed.ref), fields, except: [] }, embed.ref.key, lost, signal) ?? [];
  for await (const found of now) {
    const { known: again } = joined(climb, embed, found);
    if (again.length > 0) yield* climbFrom(climb, level, again);
  }
}

/** By what the children of a batch are joined, in the types of what holds them. `lost`: keys of those that do not tell. */
function joined({ chain, ref }: Climb, embed: Embed, { shape, records, ops }: Batch): { readonly known: Values; readonly lost: Values } {
  const level = chain.indexOf(embed);
  const holder = level === 0 ? ref.shape : (chain[level - 1] as Embed).ref.shape;
  const fields = embed.on.map(({ child, parent }) => {
    const index = fieldIndex(shape, child);
    if (index < 0)
      throw new TrueupError(
        'E_PLAN_CHANGED',
        `stream '${embed.ref.name}' has no field '${child}' any more, by which '${embed.name}' is embedded`,
      );
    return { index, from: typeOf(shape, child), to: typeOf(holder, parent) };
  });
  const read = converter(fields);
  const known = new Map<string, readonly Cell[]>();
  const lost: (readonly Cell[])[] = [];
  records.rows().forEach((row, at) => {
    if (fields.some(({ index }) => row[index] === undefined)) {
      if (ops?.[at] !== OP.delete) lost.push(shape.key.map((field) => decodedCell(records, row, field)));
      return;
    }
    const value = read(records, row);
    if (value !== null) known.set(textOf(value), value);
  });
  return { known: [...known.values()], lost };
}

/** From what children at a level are joined by, up to the keys of the records. */
async function* climbFrom(climb: Climb, level: number, values: Values): AsyncGenerator<Values> {
  const { source, ref, chain, signal } = climb;
  const { on } = chain[level] as Embed;
  const fields = on.map(({ parent }) => parent);
  const above = chain[level - 1];
  if (above === undefined) {
    const order = ref.key.map((name) => fields.indexOf(name));
    if (fields.length === ref.key.length && !order.includes(-1)) yield values.map((value) => order.map((at) => value[at]));
    else
      for await (const found of source.fetchBy?.(
        { ...ownPart(ref), fields: [...new Set([...ref.key, ...fields])], except: [] },
        fields,
        values,
        signal,
      ) ?? [])
        yield [...recordKeys(found), ...(found.rejected ?? []).flatMap(({ key }) => (key === undefined ? [] : [key]))];
    return;
  }
  const needed = [...new Set([...above.ref.key, ...fields, ...above.on.map(({ child }) => child)])];
  for await (const found of source.fetchBy?.({ ...ownPart(above.ref), fields: needed, except: [] }, fields, values, signal) ?? []) {
    const { known } = joined(climb, above, found);
    if (known.length > 0) yield* climbFrom(climb, level - 1, known);
  }
}

function recordKeys({ shape, records }: Batch): Values {
  return records.rows().map((row: Row) => shape.key.map((field: Shape['key'][number]) => decodedCell(records, row, field)));
}
