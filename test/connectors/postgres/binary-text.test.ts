import fc from 'fast-check';
import pg from 'pg';
import { expect, it } from 'vitest';
import { binaryRowReader, isBinary, sameBinary } from '../../../connectors/postgres/copy/binary.ts';
import type { Shape } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';

/** Values of every type that travels in binary, the strangest among them. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  boolean: ['t', 'f'],
  smallint: ['0', '-32768', '32767'],
  integer: ['0', '-2147483648', '2147483647'],
  bigint: ['0', '-9223372036854775808', '9223372036854775807'],
  real: ['0', '-0', 'NaN', 'Infinity', '-Infinity', '1e-45', '3.4028235e38', '0.1', '123456', '1234567', '0.0001', '0.00001', '-1.5'],
  'double precision': ['0', '-0', 'NaN', '-Infinity', '5e-324', '1.7976931348623157e308', '0.1', '1e15', '999999999999999', '1e-4', '1e-5'],
  numeric: [
    '0',
    '0.000',
    '-0.00010',
    '1',
    '10000',
    '100000000.5',
    '12345678901234567890.1234567890',
    'NaN',
    'Infinity',
    '-Infinity',
    '1e-20',
    '1e30',
  ],
  'numeric(12,2)': ['0', '-1234567890.12', '0.10', '10000.00'],
  text: ['', 'a\tb\\c\nd', 'ünïcödé 🚲', '\\N'],
  'character varying(40)': ['', 'x'],
  'character(3)': ['EUR', 'é'],
  json: ['{"b": 1, "a":2,  "a": 3}'],
  jsonb: ['{"b": 1.50, "a": [null]}', '"x"'],
  bytea: ['\\x', '\\x00ff5c0a'],
  uuid: ['00000000-0000-0000-0000-000000000000', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  date: ['2000-01-01', 'infinity', '-infinity', '4713-01-01 BC', '0001-12-31 BC', '5874897-12-31', '1999-12-31'],
  'time without time zone': ['00:00', '24:00', '23:59:59.999999', '12:34:56.7'],
  'timestamp without time zone': ['2000-01-01', 'infinity', '4713-01-01 BC', '1999-12-31 23:59:59.999999', '294276-12-31 23:59:59.5'],
  'timestamp with time zone': ['2000-01-01+00', '-infinity', '0001-12-31 12:00+00 BC', '2026-11-28 21:00:00.120000+02'],
};

const SETTINGS = `set timezone to 'UTC'; set datestyle to 'ISO, YMD'; set extra_float_digits to 3; set bytea_output to 'hex'`;

/** `_send` of the type's output function in pg_type, as COPY's binary format calls it. */
const SENT: Readonly<Record<string, string>> = {
  boolean: 'boolsend',
  smallint: 'int2send',
  integer: 'int4send',
  bigint: 'int8send',
  real: 'float4send',
  'double precision': 'float8send',
  numeric: 'numeric_send',
  'numeric(12,2)': 'numeric_send',
  text: 'textsend',
  'character varying(40)': 'varcharsend',
  'character(3)': 'bpcharsend',
  json: 'json_send',
  jsonb: 'jsonb_send',
  bytea: 'byteasend',
  uuid: 'uuid_send',
  date: 'date_send',
  'time without time zone': 'time_send',
  'timestamp without time zone': 'timestamp_send',
  'timestamp with time zone': 'timestamptz_send',
};

interface Sent {
  readonly text: string;
  readonly bytes: Buffer;
}

async function sent(client: pg.Client, type: string, values: readonly string[]): Promise<Sent[]> {
  const { rows } = await client.query<Sent>({
    text: `select format('%s', v::${type}) as text, ${SENT[type]}(v::${type}) as bytes from unnest($1::text[]) with ordinality u(v, n) order by n`,
    values: [values],
  });
  return rows;
}

function textsOf(type: string, all: readonly Sent[]): (string | null)[] {
  const shape: Shape = {
    fields: [{ name: 'v', type: 'text', nullable: true, native: { system: 'postgres', type } }],
    key: [],
    open: false,
  };
  expect(isBinary(shape)).toBe(true);
  const read = binaryRowReader(shape);
  return all.map(({ bytes }) => {
    const head = Buffer.alloc(6);
    head.writeInt16BE(1, 0);
    head.writeInt32BE(bytes.length, 2);
    return read(Buffer.concat([head, bytes]))[0] ?? null;
  });
}

describeWithPostgres('connectors: postgres, values of the binary format', () => {
  it('read as the text that the server writes', async () => {
    await using database = await createDatabase();
    const client = new pg.Client(database.url);
    await client.connect();
    try {
      await client.query(SETTINGS);
      for (const [type, values] of Object.entries(VALUES)) {
        const all = await sent(client, type, values);
        expect({ type, texts: textsOf(type, all) }).toEqual({ type, texts: all.map(({ text }) => text) });
      }
    } finally {
      await client.end();
    }
  });

  it('read so whatever the number', { timeout: 60_000 }, async () => {
    await using database = await createDatabase();
    const client = new pg.Client(database.url);
    await client.connect();
    const check = async (type: string, values: readonly string[]) => {
      const all = await sent(client, type, values);
      expect({ type, texts: textsOf(type, all) }).toEqual({ type, texts: all.map(({ text }) => text) });
    };
    const several = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 100 });
    const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -20, max: 20 }));
    try {
      await client.query(SETTINGS);
      await fc.assert(
        fc.asyncProperty(
          several(fc.double()),
          several(fc.float({ noDefaultInfinity: true })),
          several(decimal),
          async (doubles, floats, decimals) => {
            await check('double precision', doubles.map(String));
            await check('real', floats.map(String));
            await check(
              'numeric',
              decimals.map(([digits, power]) => `${digits}e${power}`),
            );
          },
        ),
        { numRuns: 30 },
      );
      await fc.assert(
        fc.asyncProperty(several(fc.bigInt({ min: -(2n ** 57n), max: 2n ** 57n })), async (micros) => {
          // Seconds of any size around 1970, and microseconds.
          await check(
            'timestamp with time zone',
            micros.map((one) => `1970-01-01 00:00:00.${String(((one % 1_000_000n) + 1_000_000n) % 1_000_000n).padStart(6, '0')}+00`),
          );
          await check(
            'date',
            micros.map((one) => new Date(Number(one / 10n ** 4n)).toISOString().slice(0, 10)).filter((text) => /^\d{4}-/.test(text)),
          );
        }),
        { numRuns: 20 },
      );
    } finally {
      await client.end();
    }
  });

  it('are of the same type on both sides, whatever its modifier', () => {
    expect(sameBinary('numeric(10,2)', 'numeric')).toBe(true);
    expect(sameBinary('timestamp(3) without time zone', 'timestamp without time zone')).toBe(true);
    expect(sameBinary('integer', 'bigint')).toBe(false);
    expect(sameBinary('public.mood', 'public.mood')).toBe(false);
    expect(sameBinary('text[]', 'text[]')).toBe(false);
  });
});
