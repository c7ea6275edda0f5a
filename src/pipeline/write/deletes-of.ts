import type { Cell } from '../../model/cell.ts';
import { OP } from '../../model/change.ts';
import type { MappedBatch } from '../../model/contracts.ts';
import { cellRecords } from '../../model/records.ts';
import type { Shape } from '../../model/shape.ts';

/** Deletes of these records, by key cells in key order. */
export function deletesOf(
  { stream, shape }: { readonly stream: string; readonly shape: Shape },
  keys: readonly (readonly Cell[])[],
): MappedBatch {
  const rows = keys.map((key) => {
    const row: Cell[] = shape.fields.map(() => undefined);
    shape.key.forEach((field, index) => (row[field] = key[index]));
    return row;
  });
  const ops = new Uint8Array(rows.length).fill(OP.delete);
  return {
    stream,
    shape,
    records: cellRecords({ rows, bytes: 0 }),
    ops,
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
  };
}
