import { TrueupError } from '../errors.ts';
import { cellFromText, cellToText } from './cell-text.ts';
import type { Cell, Row } from './cell.ts';
import type { Field } from './logical-type.ts';
import type { Shape } from './shape.ts';

/** The key of a record as letters and reports name it: a JSON array of the canonical texts of its key cells, in key order. Cells are carriers. */
export function keyToText(shape: Shape, row: Row): string {
  return JSON.stringify(shape.key.map((index) => cellToText((shape.fields[index] as Field).type, row[index])));
}

/**
 * Key cells, in key order, from what `keyToText` wrote or a person typed: the plain value of a single key, or a JSON array in key order.
 * A single key whose own text begins with `[` must be given as an array.
 *
 * @throws {TrueupError} `E_USAGE` when the number of values is wrong, `E_RECORD_VALUE` when one does not fit its type
 */
export function keyFromText(shape: Shape, text: string): Cell[] {
  const values = keyArray(text) ?? [text];
  if (values.length !== shape.key.length) {
    const names = shape.key.map((index) => (shape.fields[index] as Field).name);
    throw new TrueupError(
      'E_USAGE',
      `a key needs ${names.length} value${names.length === 1 ? '' : 's'} (${names.join(', ')}), got ${values.length}`,
      {
        hint: names.length === 1 ? 'Give the plain value.' : `Give a JSON array in key order: '["…", "…"]'.`,
      },
    );
  }
  return shape.key.map((index, position) => {
    const field = shape.fields[index] as Field;
    const value = values[position];
    return value === null ? null : cellFromText(field.type, value as string, `key field '${field.name}'`);
  });
}

/** Numbers stay as typed: `[12345678901234567890]` keeps its digits. */
function keyArray(text: string): (string | null)[] | null {
  if (!text.startsWith('[')) return null;
  const source = JSON.parse as (
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source: string }) => unknown,
  ) => unknown;
  try {
    const values = source(text, (_key, value, context) =>
      typeof value === 'number' || typeof value === 'boolean' ? context.source : value,
    );
    return Array.isArray(values) && values.every((value) => value === null || typeof value === 'string')
      ? (values as (string | null)[])
      : null;
  } catch {
    return null;
  }
}

/** The shortest text that stands for this key where a person types one, and that `keyFromText` understands. `key`: as `keyToText` wrote it. */
export function typedKey(key: string): string {
  const [only, ...more] = keyArray(key) ?? [];
  const isPlain = typeof only === 'string' && more.length === 0 && only !== '' && !only.startsWith('[') && !only.startsWith('position:');
  return isPlain ? only : key;
}
