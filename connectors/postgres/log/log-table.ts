import { TrueupError } from '../../../src/sdk.ts';
import type { Cell } from '../../../src/sdk.ts';
import type { Reading, WireForm } from '../read/reading.ts';
import type { RelationMessage } from './pgoutput.ts';
import { wireTable } from './wire-table.ts';
import type { WireTable } from './wire-table.ts';

/** How the tuples of a table become records of its stream, as the log describes the table at this place. */
export interface LogTable {
  readonly reading: Reading;
  /** For each column of a tuple its field, -1: not read. */
  readonly fields: Int32Array;
  /** A row of which nothing is known. */
  readonly blank: readonly undefined[];
  /** Whether a tuple of a new row holds every field with the type that it has now. Else its key is looked up. */
  readonly whole: boolean;
  /** Indices of the key among the fields. */
  readonly key: readonly number[];
  /** Fields by which others look records up, as far as old rows hold them. None of them is in the key. */
  readonly before: readonly number[];
  /** How its rows are handed on as bytes; `null`: as cells. */
  readonly wire: WireTable | null;
}

/**
 * Lays the columns of the log over the fields of the stream, which are those of the catalog as it is now. The log may be older: a column that it does not have
 * yet, or has with another type, cannot be taken from it.
 *
 * @param form in which rows are handed on; `null`: as cells
 * @throws {TrueupError} `E_STREAM_KEY` when old rows do not hold the stream's key, so that nobody could say what was deleted
 */
export function logTable(message: RelationMessage, reading: Reading, form: WireForm | null): LogTable {
  const { shape, relation, ref } = reading;
  const types = new Map(relation.columns.map((column) => [column.name, column.type]));
  const fields = new Int32Array(message.columns.length).fill(-1);
  const found = new Set<number>();
  message.columns.forEach((column, index) => {
    const field = shape.fields.findIndex(({ name }) => name === column.name);
    if (field === -1) return;
    const same = types.get(column.name) === column.type;
    if (!same && !shape.key.includes(field)) return;
    fields[index] = field;
    if (same) found.add(field);
  });
  const identity = new Set(message.columns.filter((column) => column.identity).map((column) => column.name));
  const hidden = ref.key.filter((name) => !identity.has(name));
  if (hidden.length > 0)
    throw new TrueupError(
      'E_STREAM_KEY',
      `The log of '${ref.name}' names deleted rows by ${[...identity].join(', ') || 'nothing'}, not by ${hidden.join(', ')}: its replica identity does not hold the key.`,
    );
  const whole = found.size === shape.fields.length;
  // Who wants to know what rows were before needs cells.
  const wire = form === null || !whole || ref.lookups !== undefined ? null : wireTable(reading, fields, form);
  const before = [...new Set((ref.lookups ?? []).flat())]
    .filter((name) => identity.has(name) && !ref.key.includes(name))
    .map((name) => shape.fields.findIndex((field) => field.name === name))
    .filter((field) => found.has(field));
  return { reading, fields, blank: shape.fields.map(() => undefined), whole, key: shape.key, before, wire };
}

/** Whether two messages describe the same columns. */
export function sameColumns(a: RelationMessage, b: RelationMessage): boolean {
  return (
    a.columns.length === b.columns.length &&
    a.columns.every((column, index) => {
      const other = b.columns[index];
      return column.name === other?.name && column.type === other.type && column.identity === other.identity;
    })
  );
}

export function keyCells({ reading, key }: LogTable, row: readonly (string | null | undefined)[]): Cell[] {
  return key.map((field, index) => {
    const cell = row[field] ?? null;
    const decode = reading.keyDecoders[index] ?? null;
    return cell === null || decode === null ? cell : decode(cell);
  });
}
