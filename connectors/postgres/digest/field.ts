import type { PgType, PgTypes } from '../values/native.ts';
import { columnSql } from '../read/reading.ts';
import type { Column, Relation } from '../relation.ts';

/** How the values of a column enter a hash. */
export interface DigestField {
  /** Columns of equal notation, on any server, hash equal values equally. */
  readonly notation: string;
  /** An expression whose hash function takes 64 bits of every bit that counts. */
  readonly sql: string;
  /** A hash of a value that is not NULL, to spread keys over buckets by. Where it is cheaper than by way of a record. */
  readonly spread?: string;
}

/*
 * Built-in hash functions are used where they tell apart what a comparison tells apart. They do not everywhere: those of bigint and of times fold the
 * value into 32 bits, those of numerics leave out the sign, of floats take -0 for 0, of intervals a month for 30 days, of jsonb and arrays different
 * orders for one. Such values are hashed as their binary form or their text, and text always by its bytes, whatever its collation.
 */

const BINARY: Readonly<Record<string, string>> = {
  int8: 'int8send',
  float4: 'float4send',
  float8: 'float8send',
  time: 'time_send',
  timetz: 'timetz_send',
  timestamp: 'timestamp_send',
  timestamptz: 'timestamptz_send',
  interval: 'interval_send',
};
const NATIVE = new Set(['bool', 'date', 'uuid', 'bytea']);
/** Text that depends on nothing but the value, under the settings of a session. */
const TEXT = new Set(
  'text varchar bpchar name char xml json jsonb oid inet cidr macaddr macaddr8 bit varbit point line lseg box path polygon circle tsvector tsquery pg_lsn int4range int8range numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange'.split(
    ' ',
  ),
);

/** `null`: values of the type cannot be hashed so that equal ones are equal on other servers (money, types of extensions). */
export function digestField(column: Column, { types }: Relation, encoding: string): DigestField | null {
  return fieldOf(columnSql(column), { type: types.get(column.type), text: column.text, types, encoding });
}

interface Typed {
  readonly type: PgType | undefined;
  /** With its modifier. */
  readonly text: string;
  readonly types: PgTypes;
  /** Of the database: its bytes are what a text is hashed by. */
  readonly encoding: string;
}

function fieldOf(value: string, { type, text, types, encoding }: Typed): DigestField | null {
  if (type === undefined || !isSafe(type, types)) return null;
  if (type.kind === 'domain') {
    const beneath = type.ofText as string;
    return fieldOf(`${value}::${beneath}`, { type: types.get(type.of as string), text: beneath, types, encoding });
  }
  const { name } = type;
  if (type.kind === 'base' && type.schema === 'pg_catalog') {
    if (name === 'int2' || name === 'int4') return integer(value);
    if (name === 'numeric') return { notation: notation(`numeric${scaleOf(text)}`), sql: `pg_catalog.numeric_send(${value})` };
    if (name === 'bpchar' && text === 'bpchar') return blankKeeping(value, encoding);
    if (NATIVE.has(name)) return { notation: notation(name), sql: value };
    const send = BINARY[name];
    if (send !== undefined)
      return { notation: notation(name), sql: `pg_catalog.${send}(${value})`, ...(name === 'int8' ? spreadNumber(value) : {}) };
  }
  return characters(`${value}::pg_catalog.text`, notation(TEXTS[name] ?? type.text), encoding);
}

/** Types whose text is the same for the same characters. */
const TEXTS: Readonly<Record<string, string>> = { varchar: 'text', citext: 'text' };

/** Digits behind the point are a part of a numeric: as many in each value of `numeric(12,2)`. */
function scaleOf(text: string): string {
  const [, scale] = /^numeric\(\d+,(-?\d+)\)$/.exec(text) ?? [];
  return scale === undefined ? '' : ` of scale ${scale}`;
}

function notation(type: string): string {
  return `postgres:${type}`;
}

function integer(value: string): DigestField {
  return { notation: notation('integer'), sql: `${value}::int4`, ...spreadNumber(value) };
}

function spreadNumber(value: string): Pick<DigestField, 'spread'> {
  return { spread: `pg_catalog.hashint8extended(${value}, 0)` };
}

/** Without a length nothing is padded, so that blanks at the end are a part of the value. A cast to text would take them away. */
function blankKeeping(value: string, encoding: string): DigestField {
  return characters(`pg_catalog.textin(pg_catalog.bpcharout(${value}))`, notation('bpchar without length'), encoding);
}

function characters(value: string, name: string, encoding: string): DigestField {
  const bytes = `${value} collate "C"`;
  return { notation: `${name}/${encoding}`, sql: bytes, spread: `pg_catalog.hashtextextended(${bytes}, 0)` };
}

function isSafe(type: PgType, types: PgTypes): boolean {
  const inner = (oid: string | null) => {
    const of = types.get(oid ?? '');
    return of !== undefined && isSafe(of, types);
  };
  switch (type.kind) {
    case 'base':
      if (type.schema === 'pg_catalog')
        return type.name in BINARY || NATIVE.has(type.name) || TEXT.has(type.name) || /^(int[24]|numeric)$/.test(type.name);
      return type.name === 'citext' && type.extension === 'citext';
    case 'range':
    case 'multirange':
      return type.schema === 'pg_catalog';
    case 'array':
    case 'domain':
      return inner(type.of);
    case 'composite':
      return type.attributes.every((attribute) => inner(attribute.type));
    case 'enum':
      return true;
    case 'pseudo':
      return false;
  }
}
