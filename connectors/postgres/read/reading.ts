import { TrueupError, sameShape } from '../../../src/sdk.ts';
import type { Decode, Shape, StreamRef } from '../../../src/sdk.ts';
import { isBinary } from '../copy/binary.ts';
import type { BINARY_FORM } from '../copy/binary.ts';
import { TEXT_FORM } from '../copy/text.ts';
import { typeDecoder } from '../values/decode.ts';
import { columnField, logicalType } from '../values/native.ts';
import { quoteIdentifier } from '../quote.ts';
import { relationKeys } from '../relation.ts';
import type { Column, Relation } from '../relation.ts';
import type { Session } from '../session/session.ts';

/** How the values of a cursor column relate to time, which decides what a fence can say of them. */
export type OrderKind = 'instant' | 'civil' | 'date' | 'counter';

/** One stream as it is read: the relation as it is now, and the fields of the stream in it. */
export interface Reading {
  readonly ref: StreamRef;
  readonly relation: Relation;
  readonly shape: Shape;
  readonly decoders: readonly (Decode | null)[];
  readonly key: readonly Column[];
  /** Decoders of the key columns. */
  readonly keyDecoders: readonly (Decode | null)[];
  /** The cursor column; `null`: there is no order but the key. */
  readonly order: Column | null;
  readonly orderKind: OrderKind;
  /** Whether the relation knows that no key stands twice. */
  readonly keyIsUnique: boolean;
  /**
   * Rows are handed on as the lines that the server sends, so nothing may stand in them but the fields: where among these lies the place of a row
   * (cursor column and key). `null`: the place stands behind them.
   */
  readonly placeFields: readonly number[] | null;
  /** In which format they are handed on then. */
  readonly wire: WireForm;
}

/** Formats of COPY in which rows are handed on as they are. */
export type WireForm = typeof TEXT_FORM | typeof BINARY_FORM;

/** @throws {TrueupError} `E_PLAN_CHANGED` when a planned column is gone */
export function resolveReading(ref: StreamRef, relation: Relation, before: Shape | null = null): Reading {
  const columns = selectedColumns(ref, relation);
  const key = ref.key.map((name) => findColumn(ref, relation, name));
  const order = ref.changes.field === undefined || ref.changes.by === 'xmin' ? null : findColumn(ref, relation, ref.changes.field);
  const names = columns.map((column) => column.name);
  const shape: Shape = {
    fields: columns.map((column) =>
      columnField({ ...column, nullable: !column.notNull && !ref.key.includes(column.name) }, relation.types),
    ),
    key: ref.key.map((name) => names.indexOf(name)),
    open: false,
  };
  return {
    ref,
    relation,
    shape: before !== null && sameShape(before, shape) ? before : shape,
    decoders: columns.map((column) => typeDecoder(column.type, relation.types)),
    key,
    keyDecoders: key.map((column) => typeDecoder(column.type, relation.types)),
    order,
    orderKind: order === null ? 'counter' : orderKind(order, relation),
    keyIsUnique: relationKeys(relation).some((unique) => unique.every((name) => ref.key.includes(name))),
    placeFields: null,
    wire: TEXT_FORM,
  };
}

/** The same for rows that are handed on as they are; as it was where they cannot be: the place is not among the fields, or a key may be NULL or stand twice. */
export function asWire(reading: Reading, wire: WireForm): Reading {
  const { fields } = reading.shape;
  const placeFields = orderColumns(reading).map((column) => fields.findIndex((field) => field.name === column.name));
  const fits = reading.keyIsUnique && reading.key.every((column) => column.notNull) && !placeFields.includes(-1);
  return fits && (wire === TEXT_FORM || isBinary(reading.shape)) ? { ...reading, placeFields, wire } : reading;
}

/** The fields of the stream, key columns always among them. */
function selectedColumns(ref: StreamRef, relation: Relation): Column[] {
  const wanted = ref.fields;
  const all =
    wanted === null
      ? relation.columns.filter((column) => !ref.except.includes(column.name))
      : wanted.filter((name) => !ref.except.includes(name)).map((name) => findColumn(ref, relation, name));
  const missing = ref.key.filter((name) => !all.some((column) => column.name === name));
  return [...all, ...missing.map((name) => findColumn(ref, relation, name))];
}

function findColumn(ref: StreamRef, relation: Relation, name: string): Column {
  const found = relation.columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const known = relation.columns.map((column) => column.name).join(', ');
  throw new TrueupError('E_PLAN_CHANGED', `Column '${name}' of stream '${ref.name}' is not there any more. Columns: ${known}.`);
}

export function orderKind(column: Column, relation: Relation): OrderKind {
  switch (logicalType(column.type, relation.types)) {
    case 'timestamptz':
      return 'instant';
    case 'timestamp':
      return 'civil';
    case 'date':
      return 'date';
    default:
      return 'counter';
  }
}

/** A column of the stream, always qualified: a bare name in ORDER BY would mean the output column. */
export function columnSql(column: Column): string {
  return `t.${quoteIdentifier(column.name)}`;
}

/** A value that `setValues` passed, as a constant of the column's type. Indexes can use it, and the planner knows it. */
export function valueSql(name: string, column: Column): string {
  return `pg_catalog.current_setting('trueup.${name}')::${column.cast}`;
}

/** `t.a, t.b` and so on, in the order that a pass or a range reads in. */
export function orderColumns(reading: Reading): Column[] {
  return reading.order === null ? [...reading.key] : [reading.order, ...reading.key];
}

/** `(t.a, t.b) > (value, value)`: a place in the order, compared as a row in the database. */
export function compareSql(columns: readonly Column[], operator: '>' | '<=' | '>=' | '<', values: string): string {
  const left = columns.map(columnSql).join(', ');
  const right = columns.map((column, index) => valueSql(`${values}${index}`, column)).join(', ');
  return columns.length === 1 ? `${left} ${operator} ${right}` : `(${left}) ${operator} (${right})`;
}

/**
 * The SELECT of a read: the fields, then what tells the place of a row (cursor column and key) where it is not taken from them. It is looked at once a batch.
 * Conditions are SQL of this connector; the stream's own `where` is the user's.
 */
export function selectSql(reading: Reading, conditions: readonly string[], tail: string): string {
  const { shape, relation, ref } = reading;
  // The output of xml leaves out a declaration of version 1.0; its text does not.
  const fields = shape.fields.map((field) => `t.${quoteIdentifier(field.name)}${field.native?.type === 'xml' ? '::text' : ''}`);
  const place = reading.placeFields === null ? orderColumns(reading).map(columnSql) : [];
  const where = [...conditions, ...(typeof ref.where === 'string' ? [`(${ref.where}\n)`] : [])];
  return `select ${[...fields, ...place].join(', ')} from ${relation.from} as t${where.length > 0 ? ` where ${where.join(' and ')}` : ''} ${tail}`;
}

export function orderBy(columns: readonly Column[]): string {
  return `order by ${columns.map(columnSql).join(', ')}`;
}

/** Passes values to the statements of this transaction. No value is ever part of a statement's text. */
export async function setValues(session: Session, values: Readonly<Record<string, string>>): Promise<void> {
  const names = Object.keys(values);
  if (names.length === 0) return;
  const calls = names.map((name, index) => `pg_catalog.set_config('trueup.${name}', $${index + 1}, true)`);
  await session.query(`select ${calls.join(', ')}`, Object.values(values));
}

/** `{ a0: …, a1: … }` of a place's texts. */
export function placeValues(prefix: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text, index) => [`${prefix}${index}`, text]));
}

/** Puts the schemas of the operators that order the stream on the search_path, behind what the role has, for this transaction. */
export async function useOperators(session: Session, reading: Reading): Promise<void> {
  const schemas = new Set(orderColumns(reading).flatMap((column) => (column.operatorSchema === null ? [] : [column.operatorSchema])));
  if (schemas.size === 0) return;
  const added = [...schemas].map(quoteIdentifier).join(', ');
  await session.query(
    `select pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', nullif(pg_catalog.current_setting('search_path'), ''), $1::text), true)`,
    [added],
  );
}
