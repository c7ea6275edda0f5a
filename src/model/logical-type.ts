import type { OnLoss } from './on-loss.ts';

/** The types that need no parameter. `variant`: each cell carries its own type (documents whose fields vary). */
export const SCALAR_TYPES = [
  'bool',
  'int32',
  'int64',
  'float64',
  'decimal',
  'text',
  'bytes',
  'uuid',
  'objectId',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'interval',
  'json',
  'unknown',
  'variant',
] as const;

export type ScalarType = (typeof SCALAR_TYPES)[number];

/** What a field's values are, independent of any system. `unknown`: text in the source's own notation, carried as it is. */
export type LogicalType = ScalarType | { readonly list: LogicalType } | { readonly struct: readonly Field[] };

/** The type as the system itself names it, so that a target of the same system can keep it to the letter. */
export interface NativeType {
  /** `postgres`, `mongodb`, …: compared for equality, never interpreted by the engine. */
  readonly system: string;
  /** In the system's own words, modifiers included: `numeric(10,2)`, `character varying(20)`, `mood[]`. */
  readonly type: string;
  /** Statements that make the type where it is missing (enum, domain, composite), in the order to run them. */
  readonly define?: readonly string[];
}

export interface Field {
  readonly name: string;
  readonly type: LogicalType;
  readonly nullable: boolean;
  readonly native?: NativeType;
  /** Of a field inside of a struct: what happens to its values that the target cannot hold. Absent: as to the rest of the record's field. */
  readonly onLoss?: OnLoss;
}

/** The type as people write and read it: `int64`, `list<text>`, `struct<a: int32, b: text>`; a name that would not read back stands in JSON quotes: `struct<"a:b": text>`. */
export function typeText(type: LogicalType): string {
  if (typeof type === 'string') return type;
  const known = texts.get(type);
  if (known !== undefined) return known;
  const text = compositeText(type);
  texts.set(type, text);
  return text;
}

/** Types never change, and are asked for their text again and again. */
const texts = new WeakMap<object, string>();

function compositeText(type: Exclude<LogicalType, string>): string {
  if ('list' in type) return `list<${typeText(type.list)}>`;
  return `struct<${type.struct.map((field) => `${nameText(field.name)}: ${typeText(field.type)}`).join(', ')}>`;
}

function nameText(name: string): string {
  return /^[ ">]|:/.test(name) ? JSON.stringify(name) : name;
}

export function sameType(a: LogicalType, b: LogicalType): boolean {
  return a === b || typeText(a) === typeText(b);
}
