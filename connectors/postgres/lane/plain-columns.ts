import type { Field, LogicalType } from '../../../src/sdk.ts';

/*
 * Which columns read the plain text of a type as what the cells of the type would have been written as: every value exactly, or loudly refused.
 */

const COLUMNS: Readonly<Partial<Record<Extract<LogicalType, string>, readonly string[]>>> = {
  bool: ['boolean'],
  int32: ['integer', 'bigint', 'numeric'],
  int64: ['bigint', 'numeric'],
  float64: ['double precision'],
  decimal: ['numeric'],
  text: ['text', 'character varying'],
  bytes: ['bytea'],
  uuid: ['uuid'],
  objectId: ['text', 'character varying'],
  date: ['date'],
  timestamptz: ['timestamp with time zone'],
  json: ['jsonb', 'json'],
  variant: ['jsonb', 'json'],
};

/** @param baseText format_type of the column's type, beneath its domain */
export function takesPlainText({ type, native }: Field, baseText: string): boolean {
  return typeof type === 'string' && native?.system !== 'postgres' && COLUMNS[type]?.includes(baseText) === true;
}
