import { TrueupError, carrierProblem, fieldIndex } from '../../src/sdk.ts';
import type { Cell, Row, Shape } from '../../src/sdk.ts';

/** A row with the cells of a patch that are not absent. */
export function patched(row: Row, patch: Row): Row {
  return patch.map((cell, index) => (cell === undefined ? (row[index] ?? null) : cell));
}

/** A row of one shape as a row of another, by field name; a field that it does not have is NULL. */
export function realign(row: Row, from: Shape, to: Shape): Row {
  if (from === to) return row;
  return to.fields.map((field) => row[fieldIndex(from, field.name)] ?? null);
}

export function keyOf(shape: Shape, row: Row): Row {
  return shape.key.map((index) => row[index]);
}

/** Throws E_RECORD_VALUE when a row cannot stand in a collection of this shape. */
export function checkRow(collection: string, shape: Shape, row: Row): void {
  for (const [index, field] of shape.fields.entries()) {
    const problem = cellProblem(row[index], field.nullable) ?? carrierProblem(field.type, row[index]);
    if (problem !== null) throw new TrueupError('E_RECORD_VALUE', `Field '${field.name}' of collection '${collection}': ${problem}.`);
  }
}

function cellProblem(cell: Cell, nullable: boolean): string | null {
  if (cell === undefined) return 'the cell is absent, which only a patch may leave it';
  return cell === null && !nullable ? 'NULL, but the field is not nullable' : null;
}
