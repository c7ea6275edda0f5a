import type { Row } from '../../model/cell.ts';
import { OP } from '../../model/change.ts';
import type { MappedBatch } from '../../model/contracts.ts';
import type { Records } from '../../model/records.ts';
import { cellRecords } from '../../model/records.ts';
import { keyText } from '../../model/row-key.ts';

/** Records of one batch between two barriers, each key at most once. */
export interface Coalesced {
  readonly batch: MappedBatch;
  /** For each record its index in the batch that went in. */
  readonly origin: Uint32Array | null;
}

/**
 * Brings a batch to at most one record a key: the last change wins, a patch folds onto an earlier upsert or patch of its key, and a patch after a
 * delete becomes a touch. A truncate is a barrier: it comes out as a batch of its own, and what stood before it in the same batch is
 * superseded by it.
 *
 * @returns the batches to write in order, the indices of records to look up again, and how many records were folded away
 */
export function coalesce(batch: MappedBatch): {
  readonly parts: readonly Coalesced[];
  readonly touches: readonly number[];
  readonly coalesced: number;
} {
  const { ops, records } = batch;
  if (records.count === 0) return { parts: [], touches: [], coalesced: 0 };
  if (batch.distinctKeys && (ops === null || !ops.includes(OP.truncate)))
    return { parts: [{ batch, origin: null }], touches: [], coalesced: 0 };
  const lastTruncate = ops === null ? -1 : ops.lastIndexOf(OP.truncate);
  const parts: Coalesced[] = [];
  let coalesced = 0;
  if (lastTruncate >= 0) {
    parts.push(pick(batch, Uint32Array.of(lastTruncate), records.rows().slice(lastTruncate, lastTruncate + 1), null));
    coalesced += lastTruncate;
  }
  const rest = foldKeys(batch, lastTruncate + 1);
  coalesced += records.count - lastTruncate - 1 - rest.indices.length - rest.touches.length;
  if (rest.indices.length === records.count && rest.ops === null) parts.push({ batch: { ...batch, distinctKeys: true }, origin: null });
  else if (rest.indices.length > 0) parts.push(pick(batch, Uint32Array.from(rest.indices), rest.rows, rest.ops));
  return { parts, touches: rest.touches, coalesced };
}

interface Kept {
  readonly indices: number[];
  readonly rows: Row[];
  /** Indices of records whose key must be looked up instead. */
  readonly touches: number[];
  /** Ops of the records kept; `null`: as they were. */
  readonly ops: Uint8Array | null;
}

function foldKeys(batch: MappedBatch, from: number): Kept {
  const rows = batch.records.rows();
  const last = new Map<string, number>();
  for (let index = from; index < rows.length; index += 1) last.set(keyText(rows[index] as Row, batch.shape.key), index);
  if (last.size === rows.length - from) return { indices: range(from, rows.length), rows: rows.slice(from), touches: [], ops: null };
  const folded = batch.ops?.includes(OP.patch) === true ? foldPatches(batch, from) : null;
  const indices: number[] = [];
  const touches: number[] = [];
  const out: Row[] = [];
  for (let index = from; index < rows.length; index += 1) {
    const row = rows[index] as Row;
    if (last.get(keyText(row, batch.shape.key)) !== index) continue;
    const fold = folded?.get(index);
    if (fold?.op === OP.touch) {
      touches.push(index);
      continue;
    }
    indices.push(index);
    out.push(fold?.row ?? row);
  }
  const { ops } = batch;
  const foldedOps =
    folded === null || ops === null ? null : Uint8Array.from(indices, (index) => folded.get(index)?.op ?? (ops[index] as number));
  return { indices, rows: out, touches, ops: foldedOps };
}

interface Folded {
  readonly op: number;
  readonly row: Row;
}

/** What each patch amounts to together with the earlier changes of its key in this batch, by index of the patch. */
function foldPatches(batch: MappedBatch, from: number): Map<number, Folded> {
  const rows = batch.records.rows();
  const ops = batch.ops as Uint8Array;
  const state = new Map<string, Folded>();
  const folded = new Map<number, Folded>();
  for (let index = from; index < rows.length; index += 1) {
    const row = rows[index] as Row;
    const key = keyText(row, batch.shape.key);
    const op = ops[index] as number;
    const earlier = state.get(key);
    const now: Folded = op === OP.patch && earlier !== undefined ? foldPatch(earlier, row) : { op, row };
    state.set(key, now);
    if (op === OP.patch) folded.set(index, now);
  }
  return folded;
}

/** A patch of a row that this batch deleted has nothing to fold onto, and the target's old row is no base either: look the key up. */
function foldPatch(earlier: Folded, patch: Row): Folded {
  if (earlier.op === OP.delete || earlier.op === OP.touch) return { op: OP.touch, row: patch };
  return { op: earlier.op, row: patch.map((cell, field) => (cell === undefined ? earlier.row[field] : cell)) };
}

function pick(batch: MappedBatch, origin: Uint32Array, rows: readonly Row[], foldedOps: Uint8Array | null): Coalesced {
  const { ops } = batch;
  return {
    batch: {
      ...batch,
      records: recordsOf(batch, rows),
      ops: foldedOps ?? (ops === null ? null : Uint8Array.from(origin, (index) => ops[index] as number)),
      distinctKeys: true,
    },
    origin,
  };
}

function recordsOf(batch: MappedBatch, rows: readonly Row[]): Records {
  const { records } = batch;
  return cellRecords({
    rows,
    bytes: Math.ceil((records.bytes * rows.length) / Math.max(1, records.count)),
    textDialect: records.textDialect,
    decoders: batch.shape.fields.map((_field, index) => records.decoder(index)),
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_unused, index) => from + index);
}
