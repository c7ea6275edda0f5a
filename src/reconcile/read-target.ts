import { scanRows } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { TrueupError } from '../errors.ts';
import type { CellSource, ComparedField } from './compared-fields.ts';
import type { Expectation } from './expected.ts';
import { rowHasher } from './hash-rows.ts';
import type { HashRow } from './hash-rows.ts';
import type { RecordSideInit } from './record-side.ts';

export interface TargetReading {
  readonly expected: Pick<Expectation, 'fields' | 'keyCount'>;
  /** As `RowHashing.unread`. Absent: every cell is decoded. */
  readonly unread?: readonly (string | null)[];
  /** Compares keys alone: records with the same key are equal. */
  readonly keysOnly?: boolean;
}

/** Reads the target's side of a comparison: every record as `Target.scan` gives it. */
export function readTarget({ expected, unread, keysOnly }: TargetReading): RecordSideInit['each'] {
  const { fields: all, keyCount } = expected;
  const fields = keysOnly === true ? all.slice(0, keyCount) : all;
  const hashers = new WeakMap<Shape, (records: Records) => HashRow>();
  const hasherOf = (shape: Shape) => {
    const known =
      hashers.get(shape) ?? rowHasher({ fields, keyCount, sources: targetCells(fields, shape), unread: unread ?? all.map(() => null) });
    hashers.set(shape, known);
    return known;
  };
  return ({ shape, records }, visit) => {
    const hashRow = hasherOf(shape)(records);
    for (const row of scanRows(records)) visit(hashRow(row));
  };
}

/** Where the compared fields stand in a shape of the target. @throws {TrueupError} `E_PLAN_CHANGED` */
export function targetCells(fields: readonly ComparedField[], shape: Shape): CellSource[] {
  return fields.map(({ name }) => {
    const index = fieldIndex(shape, name);
    if (index === -1) throw new TrueupError('E_PLAN_CHANGED', `the target gave back records without the field '${name}'`);
    return { index, convert: null };
  });
}
