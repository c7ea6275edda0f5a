import type { Field, LogicalType, NativeType, ScalarType } from '../../../src/sdk.ts';
import { quoteIdentifier, quoteText } from '../quote.ts';

/** One row of pg_type with all that its kind adds. Names are qualified (read under an empty search_path). */
export interface PgType {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** format_type(oid, -1): what a cast to it is written as. */
  readonly text: string;
  /** pg_type.typtype, arrays told apart: they are read by array_in. */
  readonly kind: 'base' | 'array' | 'composite' | 'domain' | 'enum' | 'range' | 'multirange' | 'pseudo';
  /** Array: type of the elements. Domain: the type beneath. */
  readonly of: string | null;
  /** Domain: format_type of the type beneath with its modifier. */
  readonly ofText: string | null;
  /** Between the elements of an array of this type's elements: `,`, for box `;`. */
  readonly delimiter: string;
  /** Enum: labels in order. */
  readonly labels: readonly string[];
  /** Composite: attributes in order. */
  readonly attributes: readonly { readonly name: string; readonly type: string; readonly text: string }[];
  /** Domain: collation, default, NOT NULL and checks as they follow the type in CREATE DOMAIN. */
  readonly clauses: string;
  /** The extension that brought it. */
  readonly extension: string | null;
  /** The table whose row type it is. */
  readonly ofTable: boolean;
}

export type PgTypes = ReadonlyMap<string, PgType>;

const BASE: Readonly<Record<string, ScalarType>> = {
  bool: 'bool',
  int2: 'int32',
  int4: 'int32',
  int8: 'int64',
  oid: 'int64',
  float4: 'float64',
  float8: 'float64',
  numeric: 'decimal',
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  name: 'text',
  char: 'text',
  xml: 'text',
  bytea: 'bytes',
  uuid: 'uuid',
  date: 'date',
  time: 'time',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  interval: 'interval',
  json: 'json',
  jsonb: 'json',
};

/**
 * What the values of a type are, independent of Postgres. Ranges, network addresses, bit strings, money, geometry and whatever an extension
 * brings are `unknown`: the text that Postgres writes, carried as it is.
 */
export function logicalType(oid: string, types: PgTypes): LogicalType {
  const type = types.get(oid);
  if (type === undefined) return 'unknown';
  switch (type.kind) {
    case 'array':
      return { list: logicalType(type.of as string, types) };
    case 'domain':
      return logicalType(type.of as string, types);
    case 'enum':
      return 'text';
    case 'composite':
      return {
        struct: type.attributes.map(({ name, type: of, text }) => ({
          name,
          type: logicalType(of, types),
          nullable: true,
          native: { system: 'postgres', type: text },
        })),
      };
    case 'base':
      if (type.schema === 'pg_catalog') return BASE[type.name] ?? 'unknown';
      return type.name === 'citext' ? 'text' : 'unknown';
    case 'range':
    case 'multirange':
    case 'pseudo':
      return 'unknown';
  }
}

/** The field of a column. `text` is format_type with the column's modifier: `numeric(10,2)`. */
export function columnField(
  column: { readonly name: string; readonly type: string; readonly text: string; readonly nullable: boolean },
  types: PgTypes,
): Field {
  const { name, type, text, nullable } = column;
  return { name, type: logicalType(type, types), nullable, native: nativeType(type, text, types) };
}

export function nativeType(oid: string, text: string, types: PgTypes): NativeType {
  const define = defineStatements(oid, types);
  return { system: 'postgres', type: text, ...(define.length > 0 ? { define } : {}) };
}

/**
 * Statements that make a type and all that it is made of, each type after those it needs. They are plain `create …`: where a type is there
 * already the server answers 42710 (duplicate_object), which means "done". Built-in types need none.
 */
export function defineStatements(oid: string, types: PgTypes): string[] {
  const statements = new Set<string>();
  const visit = (at: string, within: ReadonlySet<string>) => {
    const type = types.get(at);
    if (type === undefined || within.has(at)) return;
    const deeper = new Set(within).add(at);
    if (type.of !== null) visit(type.of, deeper);
    for (const attribute of type.attributes) visit(attribute.type, deeper);
    if (type.schema === 'pg_catalog' || type.kind === 'array') return;
    if (type.schema !== 'public') statements.add(`create schema if not exists ${quoteIdentifier(type.schema)}`);
    const create = createType(type);
    if (create !== null) statements.add(create);
  };
  visit(oid, new Set());
  return [...statements];
}

function createType(type: PgType): string | null {
  const name = `${quoteIdentifier(type.schema)}.${quoteIdentifier(type.name)}`;
  if (type.extension !== null)
    return `create extension if not exists ${quoteIdentifier(type.extension)} schema ${quoteIdentifier(type.schema)}`;
  if (type.kind === 'enum') return `create type ${name} as enum (${type.labels.map(quoteText).join(', ')})`;
  if (type.kind === 'domain') return `create domain ${name} as ${type.ofText}${type.clauses}`;
  if (type.kind === 'composite')
    return `create type ${name} as (${type.attributes.map((attribute) => `${quoteIdentifier(attribute.name)} ${attribute.text}`).join(', ')})`;
  return null; // ranges and types in C: a person has to make them
}
