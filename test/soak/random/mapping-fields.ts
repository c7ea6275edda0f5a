import { createHash } from 'node:crypto';
import type { Random } from './prng.ts';
import { ident, literal } from './sql.ts';
import type { KindName } from './values.ts';

/** A field of a mapping, said twice: as trueup reads it, and as SQL over the source's columns, which knows nothing of trueup. */
export interface FieldRule {
  /** What stands behind the field's name in the mapping file. */
  readonly yaml: string;
  readonly sql: string;
  /** Numbers whose scale is not promised are compared by value. */
  readonly byValue?: boolean;
  /** For which values it is a fault of the record, as SQL. */
  readonly faultSql?: string;
}

/** A condition, said twice. */
export interface Condition {
  readonly cel: string;
  readonly sql: string;
}

export interface ColumnRef {
  readonly name: string;
  readonly kind: KindName;
}

/** The name inside an expression. */
export function celName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `field(${JSON.stringify(name)})`;
}

/** A name as the source of a field: dots in it are escaped. */
export function pathName(name: string): string {
  return JSON.stringify(name.replaceAll('.', String.raw`\.`));
}

const HMAC_KEY = 'a key of the soak run';
/** Environment of every command, for `${MASK_KEY}`. */
export const MASK_ENV = { MASK_KEY: HMAC_KEY } as const;

/** HMAC by its definition, so that no extension is needed. */
function hmacSql(text: string): string {
  const block = Buffer.alloc(64);
  const key = Buffer.from(HMAC_KEY);
  (key.length > 64 ? createHash('sha256').update(key).digest() : key).copy(block);
  const pad = (byte: number) => `'\\x${Buffer.from(block.map((one) => one ^ byte)).toString('hex')}'::bytea`;
  return `encode(sha256(${pad(0x5c)} || sha256(${pad(0x36)} || convert_to(${text}, 'UTF8'))), 'hex')`;
}

type Maker = (column: ColumnRef, random: Random) => FieldRule;

const from = (column: ColumnRef, more: string): string => `{ from: ${pathName(column.name)}, ${more} }`;
const expr = (cel: string, type: string): string => `{ expr: ${JSON.stringify(cel)}, type: ${type} }`;
const cast =
  (type: string, sqlType: string): Maker =>
  (column) => ({ yaml: from(column, `type: ${type}`), sql: `${ident(column.name)}::${sqlType}` });
const formula =
  (cel: (name: string) => string, type: string, sql: (column: string) => string): Maker =>
  (column) => ({ yaml: expr(cel(celName(column.name)), type), sql: sql(ident(column.name)) });

const shift: Maker = (column, random) => {
  const places = random.pick([-6, -3, -2, -1, 1, 2, 5]);
  return {
    yaml: from(column, `shift: ${places}`),
    sql: `${ident(column.name)}::numeric * ${places < 0 ? `0.${'0'.repeat(-places - 1)}1` : 10 ** places}`,
    byValue: true,
  };
};

const lookup =
  (values: readonly string[]): Maker =>
  (column, random) => {
    const known = random.sample(values, 2);
    const faulty = random.chance(0.4);
    const cases = known.map((value, index) => `when ${literal(value)} then 'stands for ${index}'`).join(' ');
    const yaml = from(
      column,
      `lookup: { ${known.map((value, index) => `${JSON.stringify(value)}: "stands for ${index}"`).join(', ')} }${faulty ? '' : ', default: other'}`,
    );
    const text = `${ident(column.name)}::text`;
    return faulty
      ? { yaml, sql: `case ${text} ${cases} end`, faultSql: `coalesce(${text} not in (${known.map(literal).join(', ')}), false)` }
      : { yaml, sql: `case ${text} ${cases} else 'other' end` };
  };

const mask: Maker = (column, random) => {
  const text = `${ident(column.name)}::text`;
  return random.pick<FieldRule>([
    { yaml: from(column, `mask: { hmac: "\${MASK_KEY}" }`), sql: hmacSql(text) },
    { yaml: from(column, 'mask: sha256'), sql: `encode(sha256(convert_to(${text}, 'UTF8')), 'hex')` },
    { yaml: from(column, 'mask: redact'), sql: `case when ${text} is not null then '***' end` },
    { yaml: from(column, 'mask: last4'), sql: `case when char_length(${text}) <= 4 then '****' else '****' || right(${text}, 4) end` },
  ]);
};

const zone: Maker = (column, random) => {
  const name = random.pick(['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC']);
  return { yaml: from(column, `zone: ${name}`), sql: `${ident(column.name)} at time zone '${name}'` };
};

const inside: Maker = (column) => ({
  yaml: `{ from: ${JSON.stringify(`${column.name.replaceAll('.', String.raw`\.`)}.a.b`)}, type: text }`,
  sql: `${ident(column.name)} #>> '{a,b}'`,
});

const WHOLE = [shift, lookup(['0', '-1', '1', '7']), cast('decimal', 'numeric'), cast('text', 'text')] as const;
const TEXT = [
  mask,
  formula(
    (c) => `${c} == null ? 'none' : ${c} + '!'`,
    'text',
    (c) => `coalesce(${c} || '!', 'none')`,
  ),
  formula(
    (c) => `${c}.size()`,
    'int64',
    (c) => `char_length(${c})::bigint`,
  ),
  formula(
    (c) => `${c}.startsWith('a')`,
    'bool',
    (c) => `starts_with(${c}, 'a')`,
  ),
  formula(
    (c) => `coalesce(${c}, 'nothing').replace('a', '<a>')`,
    'text',
    (c) => `replace(coalesce(${c}, 'nothing'), 'a', '<a>')`,
  ),
  formula(
    (c) => `${c}.contains('é')`,
    'bool',
    (c) => `position('é' in ${c}) > 0`,
  ),
] as const;

/** What may be made of a column beside its copy. */
const MAKERS: Partial<Record<KindName, readonly Maker[]>> = {
  int2: [
    ...WHOLE,
    cast('int64', 'bigint'),
    formula(
      (c) => `${c} * 3 - 7`,
      'int64',
      (c) => `${c}::bigint * 3 - 7`,
    ),
  ],
  int4: [
    ...WHOLE,
    cast('int64', 'bigint'),
    formula(
      (c) => `'#' + string(${c} + 1)`,
      'text',
      (c) => `'#' || (${c}::bigint + 1)`,
    ),
  ],
  int8: [
    ...WHOLE,
    formula(
      (c) => `${c} == null || ${c} > 5 ? 'many' : 'few'`,
      'text',
      (c) => `case when ${c} is null or ${c} > 5 then 'many' else 'few' end`,
    ),
  ],
  numeric: [shift],
  money: [
    shift,
    (column) => ({ yaml: expr(`round(${celName(column.name)}, 1)`, 'decimal'), sql: `round(${ident(column.name)}, 1)`, byValue: true }),
    (column) => ({ yaml: expr(`${celName(column.name)} * decimal("1.5")`, 'decimal'), sql: `${ident(column.name)} * 1.5`, byValue: true }),
  ],
  text: TEXT,
  varchar: TEXT,
  status: [lookup(['draft', 'paid', 'sent', '']), ...TEXT],
  bool: [
    cast('text', 'text'),
    formula(
      (c) => `!${c}`,
      'bool',
      (c) => `not ${c}`,
    ),
    formula(
      (c) => `${c} ? 1 : 0`,
      'int64',
      (c) => `${c}::int::bigint`,
    ),
  ],
  civil: [
    zone,
    formula(
      (c) => `${c}.getFullYear()`,
      'int64',
      (c) => `extract(year from ${c})::bigint`,
    ),
  ],
  uuid: [cast('text', 'text'), mask],
  document: [inside],
};

/** A field made of the column by something else than copying; `null`: nothing is known for its kind. */
export function computedField(column: ColumnRef, random: Random): FieldRule | null {
  const makers = MAKERS[column.kind];
  return makers === undefined ? null : random.pick(makers)(column, random);
}

/** Fields for key columns keep every value apart and need nothing but the key. */
export function keyField(column: ColumnRef, random: Random): FieldRule | null {
  const makers: Partial<Record<KindName, readonly Maker[]>> = {
    int4: [cast('text', 'text'), cast('int64', 'bigint'), shift],
    int8: [cast('text', 'text')],
    uuid: [cast('text', 'text')],
    numeric: [shift],
  };
  const some = makers[column.kind];
  return some === undefined ? null : random.pick(some)(column, random);
}

/** A condition over one column; three-valued as SQL has it. */
export function someCondition(columns: readonly ColumnRef[], random: Random): Condition | null {
  const usable = columns.filter(({ kind }) => CONDITIONS[kind] !== undefined);
  if (usable.length === 0) return null;
  const one = (): Condition => {
    const column = random.pick(usable);
    return random.pick(CONDITIONS[column.kind] ?? [])(celName(column.name), ident(column.name));
  };
  const first = one();
  if (random.chance(0.6)) return first;
  const second = one();
  const [cel, sql] = random.pick([
    ['&&', 'and'],
    ['||', 'or'],
  ] as const);
  return random.chance(0.25)
    ? { cel: `!(${first.cel}) ${cel} (${second.cel})`, sql: `(not (${first.sql}) ${sql} (${second.sql}))` }
    : { cel: `(${first.cel}) ${cel} (${second.cel})`, sql: `((${first.sql}) ${sql} (${second.sql}))` };
}

type ConditionMaker = (cel: string, sql: string) => Condition;
const NUMERIC_CONDITIONS: readonly ConditionMaker[] = [
  (cel, sql) => ({ cel: `${cel} > -3`, sql: `${sql} > -3` }),
  (cel, sql) => ({ cel: `${cel} != 5`, sql: `${sql} is distinct from 5` }),
  (cel, sql) => ({ cel: `${cel} == null || ${cel} <= 50`, sql: `(${sql} is null or ${sql} <= 50)` }),
];
const TEXT_CONDITIONS: readonly ConditionMaker[] = [
  (cel, sql) => ({ cel: `${cel} != 'draft'`, sql: `${sql} is distinct from 'draft'` }),
  (cel, sql) => ({ cel: `${cel} == null || !${cel}.contains('a')`, sql: `(${sql} is null or position('a' in ${sql}) = 0)` }),
  (cel, sql) => ({ cel: `!${cel}.startsWith('paid')`, sql: `not starts_with(${sql}, 'paid')` }),
];
const CONDITIONS: Partial<Record<KindName, readonly ConditionMaker[]>> = {
  int2: NUMERIC_CONDITIONS,
  int4: NUMERIC_CONDITIONS,
  int8: NUMERIC_CONDITIONS,
  money: NUMERIC_CONDITIONS,
  text: TEXT_CONDITIONS,
  status: TEXT_CONDITIONS,
  bool: [
    (cel, sql) => ({ cel, sql }),
    (cel, sql) => ({ cel: `${cel} != true`, sql: `${sql} is distinct from true` }),
    (cel, sql) => ({ cel: `!${cel}`, sql: `not ${sql}` }),
  ],
};
