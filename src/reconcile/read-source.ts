import { isTrueupError } from '../errors.ts';
import { cellToText } from '../model/cell-text.ts';
import type { Cell, Row } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import { DIGEST_BUCKETS } from '../model/digests.ts';
import type { Batch } from '../model/contracts.ts';
import { scanRows } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import type { Shape } from '../model/shape.ts';
import { keyCells, mappedKey } from './expected.ts';
import type { Expectation } from './expected.ts';
import { addToHash, createHash, finishHash, resetHash } from './hash.ts';
import { rowHasher } from './hash-rows.ts';
import type { HashedRecord, RecordSideInit } from './record-side.ts';

export interface SourceReading {
  readonly expected: Expectation;
  /** As `RowHashing.unread`. Absent: every cell is decoded. */
  readonly unread?: readonly (string | null)[];
  /** Compares keys alone: records with the same key are equal. */
  readonly keysOnly?: boolean;
  /** Visits also what the mapping leaves out, as records that equal none of the target. */
  readonly withFiltered?: boolean;
  /** Told once a batch how many records the mapping left out. */
  onFiltered?(records: number): void;
}

/**
 * Reads the source's side of a comparison: every record as the target should hold it. A record that the mapping or the target does not take is a record
 * that equals none; so is one that the source itself could not read, as far as its key is known, and one of which the source tells that it was deleted, or
 * is to be looked up: whether it is there is for a closer look to tell.
 */
export function readSource(reading: SourceReading): RecordSideInit['each'] {
  const { expected, onFiltered } = reading;
  const hasher = rowHasher(hashing(reading, false));
  const faulty = faultyRecord(reading);
  return (batch, visit) => {
    const { batch: mapped, origin, rejected, touches } = expected.mapper(batch.shape).map(batch);
    const { records, ops } = mapped;
    const hashRow = hasher(records);
    // Records that travel as they are need not all be in memory at once.
    const rows: Iterable<Row> = records === batch.records ? scanRows(records) : records.rows();
    const at = (index: number) => ({ batch, index });
    let place = -1;
    let filtered = 0;
    let current = 0;
    let currentRow: Row = [];
    const cells = () => keyCells(batch, records === batch.records ? currentRow : (batch.records.rows()[current] as Row));
    for (const row of rows) {
      place++;
      current = origin === null ? place : (origin[place] as number);
      currentRow = row;
      if (ops !== null && ops[place] === OP.delete) {
        const isGone = batch.ops?.[current] === OP.delete;
        if (!isGone) filtered++;
        if (isGone || reading.withFiltered === true) visit(faulty(at(current)));
        continue;
      }
      visit(hashedOrFaulty(row));
    }
    for (const { index } of rejected) visit(faulty(at(index)));
    for (const index of touches) visit(faulty(at(index)));
    for (const reject of batch.rejected ?? []) visit(faulty({ batch, key: reject.key ?? null, position: reject.position }));
    if (filtered > 0) onFiltered?.(filtered);

    function hashedOrFaulty(row: Row): HashedRecord {
      try {
        const record = hashRow(row);
        record.cells = cells;
        return record;
      } catch (error) {
        if (!isTrueupError(error) || error.fault !== 'record') throw error;
        return faulty(at(current));
      }
    }
  };
}

function hashing({ expected, unread, keysOnly }: SourceReading, keys: boolean) {
  const count = keys || keysOnly === true ? expected.keyCount : expected.fields.length;
  return {
    fields: expected.fields.slice(0, count),
    keyCount: expected.keyCount,
    sources: expected.sources,
    unread: unread ?? expected.fields.map(() => null),
  };
}

type Faulty =
  | { readonly batch: Batch; readonly index: number }
  | { readonly batch: Batch; readonly key: readonly Cell[] | null; readonly position: string };

/** A record that cannot be in the target. Where its key can be mapped it pairs with what the target holds of it, and differs. */
function faultyRecord(reading: SourceReading): (faulty: Faulty) => HashedRecord {
  const { expected } = reading;
  const hasher = rowHasher(hashing(reading, true));
  return (faulty) => {
    const { batch } = faulty;
    const source = 'index' in faulty ? keyCells(batch, batch.records.slice(faulty.index, faulty.index + 1).rows()[0] as Row) : faulty.key;
    const key =
      'index' in faulty ? mappedKey(expected, batch, faulty.index) : source === null ? null : mappedSourceKey(expected, batch, source);
    if (key !== null) {
      try {
        const record = hasher(key.records)(key.row);
        return { ...record, low: ~record.low >>> 0, high: ~record.high >>> 0, cells: () => source };
      } catch (error) {
        if (!isTrueupError(error) || error.fault !== 'record') throw error;
      }
    }
    return unpaired(batch.shape, source, 'index' in faulty ? '' : faulty.position);
  };
}

/** The key of a record that the source could not read, mapped. */
function mappedSourceKey(expected: Expectation, batch: Batch, key: readonly Cell[]) {
  const row: Cell[] = batch.shape.fields.map(() => undefined);
  batch.shape.key.forEach((field, position) => (row[field] = key[position]));
  const { records } = batch;
  const only: Records = { ...records, count: 1, textDialect: null, rows: () => [row], decoder: () => null, slice: () => only };
  return mappedKey(expected, { ...batch, records: only }, 0);
}

/** A record without a key in the target: nothing there can be its counterpart. */
function unpaired(shape: Shape, source: readonly Cell[] | null, position: string): HashedRecord {
  const name =
    source === null
      ? `position:${position}`
      : `source:${JSON.stringify(source.map((cell, index) => cellToText(shape.fields[shape.key[index] ?? -1]?.type ?? 'unknown', cell)))}`;
  const hash = createHash();
  resetHash(hash);
  addToHash(hash, name);
  finishHash(hash);
  return { bucket: hash.low % DIGEST_BUCKETS, low: hash.low, high: hash.high, key: () => name, cells: () => source };
}
