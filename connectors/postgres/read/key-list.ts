import type { Cell } from '../../../src/sdk.ts';
import { typeEncoder } from '../values/encode.ts';
import { logicalType } from '../values/native.ts';
import { columnSql } from './reading.ts';
import type { Reading } from './reading.ts';
import type { Column, Relation } from '../relation.ts';

/* Lists of values that a statement looks for, passed as one array of texts per column. */

/** The values of one column, as the text of an array. @param index of the column's cell in each row of `values` */
export function textArray(column: Column, relation: Relation, values: readonly (readonly Cell[])[], index: number): string {
  const encode = typeEncoder(logicalType(column.type, relation.types));
  const asText = typeEncoder({ list: 'text' });
  return asText(values.map((cells) => (cells[index] === null || cells[index] === undefined ? null : encode(cells[index] as Cell))));
}

export function valuesSql(index: number): string {
  return `pg_catalog.current_setting('trueup.v${index}')::pg_catalog.text[]`;
}

/** For `setValues`. @param keys in key order */
export function keyValues({ key, relation }: Reading, keys: readonly (readonly Cell[])[]): Record<string, string> {
  return Object.fromEntries(key.map((column, index) => [`v${index}`, textArray(column, relation, keys, index)]));
}

/** The places (from 0) of those listed keys whose row meets the conditions. A NULL is no key. */
export function keysSql(reading: Reading, conditions: readonly string[]): string {
  const { key, relation, ref } = reading;
  const names = key.map((_, index) => `c${index}`).join(', ');
  const match = key.map((column, index) => `${columnSql(column)} = v.c${index}::${column.cast}`);
  const where = [...match, ...conditions, ...(typeof ref.where === 'string' ? [`(${ref.where}\n)`] : [])];
  return `select v.n - 1 from rows from (${key.map((_, index) => `pg_catalog.unnest(${valuesSql(index)})`).join(', ')}) with ordinality as v(${names}, n)
   where exists (select from ${relation.from} as t where ${where.join(' and ')})`;
}
