import type { Random } from './prng.ts';

/** A type of column, and values for it: ordinary ones, and the ends of what it holds. */
export interface Kind {
  readonly name: string;
  readonly sql: string;
  /** A type that holds every value of this one, for columns that are widened. */
  readonly wider?: string;
  /** Text that PostgreSQL reads as a value of the type. */
  value(random: Random): string;
}

const extreme =
  (extremes: readonly string[], ordinary: (random: Random) => string, share = 0.15) =>
  (random: Random) =>
    random.chance(share) ? random.pick(extremes) : ordinary(random);

const whole = (from: number, to: number) => (random: Random) => String(random.int(from, to));

/** What breaks naive text handling: separators and escapes of COPY, quotes, marks, both ends of Unicode, several forms of one letter. */
const TEXTS = [
  '',
  ' ',
  'draft',
  'paid ',
  String.raw`\N`,
  String.raw`\.`,
  String.raw`a\tb\\c`,
  'tab\tnew\nline\rreturn',
  `it's "quoted" $1 %s`,
  'NULL',
  'Äpfel, ÀÉÎ, ß, İı',
  'e\u0301 or \u00e9',
  '日本語 テキスト',
  'שלום \u202e abc',
  '👩‍👩‍👧‍👦🏳️‍🌈',
  '\u{10ffff}\uffff\ufeff',
  '\u0001\u001f\u007f\u0085\u2028',
] as const;

export function someText(random: Random): string {
  if (random.chance(0.4)) return random.pick(TEXTS);
  return random.sample([...'abcxyz  ÄßZ0123,;#é水😀'], random.int(1, 12)).join('');
}

const digits = (random: Random, count: number): string => Array.from({ length: count }, () => random.int(0, 9)).join('');

function someJson(random: Random, depth = 2): string {
  if (depth === 0 || random.chance(0.4))
    return random.pick([
      'null',
      'true',
      '1.50',
      '-0',
      '12345678901234567890.000000000000000000001',
      '1e30',
      JSON.stringify(someText(random)),
      '[]',
      '{}',
    ]);
  if (random.chance(0.4)) return `[${Array.from({ length: random.int(0, 3) }, () => someJson(random, depth - 1)).join(', ')}]`;
  const names = random.sample(['b', 'a', 'z z', '', 'ä', 'n"q'], random.int(0, 3));
  return `{${names.map((name) => `${JSON.stringify(name)}:${someJson(random, depth - 1)}`).join(' , ')}}`;
}

/** A document whose `a.b` is text, null or not there. */
function someDocument(random: Random): string {
  const inner = random.pick([`{"b": ${JSON.stringify(someText(random))}, "c": 1.0}`, '{"b": null}', '{}']);
  return random.chance(0.2) ? someJson(random, 1).replace(/^[^{].*$/su, '{}') : `{"x": ${someJson(random, 1)}, "a": ${inner}}`;
}

function someUuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.pick([...'0123456789abcdef'])).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const pad = (number: number, length = 2): string => String(number).padStart(length, '0');
const someDate = (random: Random): string => `${random.int(1971, 2036)}-${pad(random.int(1, 12))}-${pad(random.int(1, 28))}`;
const someTime = (random: Random): string =>
  `${pad(random.int(0, 23))}:${pad(random.int(0, 59))}:${pad(random.int(0, 59))}${random.chance(0.6) ? `.${digits(random, 6)}` : ''}`;
const someStamp = (random: Random): string => `${someDate(random)} ${someTime(random)}`;

const ARRAYS = ['{}', '{NULL}', '{"NULL",""}', '{a,"b,c","d\\"e","\\\\N"," f "}', '{{1,2},{3,4}}', '[0:1]={x,y}', '{ä,😀}'] as const;

const kind = (name: string, sql: string, value: Kind['value'], wider?: string): Kind => ({
  name,
  sql,
  value,
  ...(wider === undefined ? {} : { wider }),
});

export const KINDS = {
  int2: kind('int2', 'smallint', extreme(['32767', '-32768', '0'], whole(-9, 9)), 'integer'),
  int4: kind('int4', 'integer', extreme(['2147483647', '-2147483648', '0'], whole(-9, 99)), 'bigint'),
  int8: kind('int8', 'bigint', extreme(['9223372036854775807', '-9223372036854775808', '9007199254740993', '0'], whole(-9, 9999))),
  numeric: kind(
    'numeric',
    'numeric',
    extreme(
      ['NaN', 'Infinity', '-Infinity', '0', '0.00', '-0.1', '1.50', '1e40', '-1e-30', `1${'0'.repeat(200)}.${'0'.repeat(99)}1`],
      (random) => `${random.int(-999, 999)}.${digits(random, random.int(0, 8))}`,
      0.3,
    ),
  ),
  /** Of one scale and a bounded size, for formulas. */
  money: kind(
    'money',
    'numeric(12,3)',
    extreme(['999999999.999', '-999999999.999', '0', '0.0005'], (random) => `${random.int(-999, 9999)}.${digits(random, 3)}`),
    'numeric(20,5)',
  ),
  text: kind('text', 'text', someText),
  varchar: kind('varchar', 'varchar(40)', (random) => Array.from(someText(random)).slice(0, 40).join(''), 'text'),
  status: kind('status', 'text', (random) => random.pick(['draft', 'paid', 'sent', 'sent ', 'Draft', ''])),
  bool: kind('bool', 'boolean', (random) => random.pick(['true', 'false'])),
  float8: kind(
    'float8',
    'double precision',
    extreme(
      ['NaN', 'Infinity', '-Infinity', '-0', '0', '5e-324', '1.7976931348623157e308', '0.1'],
      (random) => String(random.next() * 10 ** random.int(-20, 20)),
      0.3,
    ),
  ),
  float4: kind(
    'float4',
    'real',
    extreme(['NaN', '-0', '1e-45', '3.4028235e38', '0.1'], (random) => String(random.int(-99, 99) / 8)),
    'double precision',
  ),
  date: kind('date', 'date', extreme(['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '2024-02-29', '0001-12-31 BC'], someDate)),
  time: kind('time', 'time', extreme(['00:00:00', '24:00:00', '23:59:59.999999'], someTime)),
  timestamp: kind(
    'timestamp',
    'timestamp',
    extreme(['infinity', '-infinity', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', '2026-01-01 00:00:00'], someStamp),
  ),
  /** In years that every zone is known for. */
  civil: kind('civil', 'timestamp', extreme(['2026-03-29 02:30:00', '2026-10-25 02:30:00.5', '1999-12-31 23:59:59.999999'], someStamp)),
  timestamptz: kind(
    'timestamptz',
    'timestamptz',
    extreme(
      ['infinity', '-infinity', '4713-01-02 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', '1900-01-01 00:00:00.000001+00'],
      (random) => `${someStamp(random)}+${pad(random.int(0, 12))}`,
    ),
  ),
  interval: kind(
    'interval',
    'interval',
    extreme(
      ['0', '-178000000 years', '1 mon -1 day 00:00:00.000001', '24:00:00', '1 day'],
      (random) => `${random.int(-9, 9)} months ${random.int(-40, 40)} days ${someTime(random)}`,
      0.4,
    ),
  ),
  uuid: kind('uuid', 'uuid', someUuid),
  bytea: kind(
    'bytea',
    'bytea',
    (random) => `\\x${Array.from({ length: random.int(0, 9) }, () => random.pick(['00', '5c', 'ff', '0a', '41'])).join('')}`,
  ),
  jsonb: kind('jsonb', 'jsonb', someJson),
  json: kind('json', 'json', someJson),
  document: kind('document', 'jsonb', someDocument),
  texts: kind('texts', 'text[]', (random) => random.pick(ARRAYS)),
  ints: kind(
    'ints',
    'integer[]',
    (random) => `{${Array.from({ length: random.int(0, 4) }, () => random.pick(['1', '-7', 'NULL', '2147483647'])).join(',')}}`,
  ),
  inet: kind('inet', 'inet', (random) => random.pick(['10.0.0.1/8', '::1', '192.168.0.0/24', `10.0.0.${random.int(1, 254)}`])),
  range: kind('range', 'int4range', (random) => random.pick(['empty', '(,)', '[1,5)', `[${random.int(-9, 0)},${random.int(1, 9)}]`])),
  point: kind('point', 'point', (random) => `(${random.int(-9, 9)},${random.pick(['-0', '0.1', '1e300'])})`),
  /** A type that the target gets from the source. */
  mood: kind('mood', 'public.mood', (random) => random.pick(['sad', 'ok', `it's "fine"`])),
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

export const ALL_KINDS = Object.keys(KINDS) as KindName[];
