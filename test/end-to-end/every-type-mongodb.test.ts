import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { TYPE_DEFINITIONS, TYPE_VALUES } from '../servers/postgres-values.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { openScenario, ranOf } from './scenario.ts';
import type { Ran, Scenario } from './scenario.ts';

interface Value {
  readonly id: number;
  readonly column: string;
  readonly type: string;
  readonly sql: string;
}

const COLUMNS = Object.keys(TYPE_VALUES).map((type, index) => ({ name: `c${index}`, type }));
const VALUES: readonly Value[] = COLUMNS.flatMap(({ name, type }) =>
  (TYPE_VALUES[type] ?? []).map((sql) => ({ column: name, type, sql })),
).map((value, index) => ({ id: index + 1, ...value }));

/** What documents have no place for: part of the SQL of each value, and why its record is set aside. Everything else goes there and comes back. */
const REFUSED: readonly (readonly [type: string, sql: string, code: string])[] = [
  ['numeric', `repeat('9', 1000)`, 'E_RECORD_LOSS'],
  ['numeric[]', '12345678901234567890', 'E_RECORD_LOSS'],
  ['timestamptz', '-infinity', 'E_RECORD_LOSS'],
  ['timestamptz', '294276', 'E_RECORD_LOSS'],
  ['timestamptz', '1969', 'E_RECORD_LOSS'],
  ['json', '"a": 2', 'E_RECORD_LOSS'],
  ['json', 'ud83d', 'E_RECORD_VALUE'],
  ['json', 'null', 'E_RECORD_LOSS'],
  ['jsonb', '12345678901234567890', 'E_RECORD_LOSS'],
  ['jsonb', 'null', 'E_RECORD_LOSS'],
  ['text[]', '{{a,b}', 'E_RECORD_LOSS'],
  ['int4[]', '[-2:0]', 'E_RECORD_LOSS'],
  ['int4[]', '{{{1}', 'E_RECORD_LOSS'],
];

/** Types of PostgreSQL that take text only of their own: text in the copy. */
const CLOSED = new Set(['"char"', 'money']);
const DECLARED: Readonly<Record<string, string>> = {
  bool: 'bool',
  int2: 'int32',
  int4: 'int32',
  int8: 'int64',
  numeric: 'decimal',
  'numeric(7,-2)': 'decimal',
  'odd.percent': 'decimal',
  real: 'float64',
  float8: 'float64',
  bytea: 'bytes',
  uuid: 'uuid',
  timestamptz: 'timestamptz',
  'timestamptz(2)': 'timestamptz',
  json: 'json',
  jsonb: 'json',
};

/** Each value is in few documents, so that samples could not tell. */
function declared(type: string): string {
  return DECLARED[type] ?? (type.endsWith('[]') || type === 'odd."Pair"' ? 'variant' : 'text');
}

async function openEverything(onLoss = 'error'): Promise<{ readonly scenario: Scenario; readonly mongo: TestMongo }> {
  const scenario = await openScenario();
  const mongo = await createMongoDatabase('types');
  const table = (closed: boolean): string =>
    COLUMNS.map(({ name, type }) => `${name} ${closed && CLOSED.has(type) ? 'text' : type}`).join(', ');
  await scenario.source.query(`${TYPE_DEFINITIONS} create table public.everything (id int primary key, ${table(false)})`);
  await scenario.target.query(`${TYPE_DEFINITIONS} create table public.everything (id int primary key, ${table(true)})`);
  await scenario.source.query(
    VALUES.map(({ id, column, sql }) => `insert into public.everything (id, ${column}) values (${id}, ${sql})`).join(';\n'),
  );
  const fields = COLUMNS.map(({ name, type }) => `${name}: ${declared(type)}`).join(', ');
  await scenario.write(
    'trueup.yaml',
    `connections:
  shop: { connector: postgres, url: "\${SHOP_URL}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
  archive: { connector: mongodb, url: "${mongo.url}", collections: { everything: { fields: { ${fields} } } } }
defaults: { onLoss: ${onLoss} }
jobs:
  there:
    source: shop
    target: archive
    streams: [{ from: public.everything, changes: { by: snapshot } }]
  back:
    source: archive
    target: copy
    streams: [{ from: everything, to: public.everything, key: [_id], changes: { by: snapshot }, mapping: back.yaml }]
`,
  );
  await scenario.write('back.yaml', `fields:\n  id: _id\n${COLUMNS.map(({ name }) => `  ${name}: ${name}\n`).join('')}otherFields: drop\n`);
  return { scenario, mongo };
}

const run = async (scenario: Scenario, job: string): Promise<Ran> => ranOf(await scenario.trueup('run', job, '--json'));

async function contents(database: TestDatabase, column: string): Promise<Map<number, string>> {
  const rows = await database.query<{ id: number; text: string }>(
    `select id, ${column}::text as text from public.everything where ${column} is not null`,
  );
  return new Map(rows.map(({ id, text }) => [id, text]));
}

/** White space is no part of a JSON value. */
const sameText = (type: string, text: string | undefined): string | undefined =>
  type.startsWith('json') && type !== 'jsonpath' ? text?.replaceAll(' ', '') : text;

describeWithPostgres('every type of PostgreSQL, to MongoDB and back', () => {
  describeWithMongo('with both servers', () => {
    it('comes back to the last digit, or is set aside by a code for what documents cannot hold', { timeout: 600_000 }, async () => {
      const { scenario } = await openEverything();
      const there = await run(scenario, 'there');
      expect(there.stream('public.everything').conversions ?? []).toEqual([]);
      const { letters } = JSON.parse((await scenario.trueup('dead-letters', 'list', 'there', '--json')).stdout) as {
        letters: { key: string; code: string }[];
      };
      const refused = new Map(
        REFUSED.map(([type, part, code]) => [VALUES.find((value) => value.type === type && value.sql.includes(part))?.id ?? part, code]),
      );
      expect(new Map(letters.map(({ key, code }) => [Number(key), code]))).toEqual(refused);
      const back = await run(scenario, 'back');
      expect(back.stream('everything')).toMatchObject({ upserted: VALUES.length - REFUSED.length, deadLettered: 0 });
      for (const { name, type } of COLUMNS) {
        const [before, after] = [await contents(scenario.source, name), await contents(scenario.target, name)];
        for (const [id, text] of before)
          if (!refused.has(id)) expect({ type, text: sameText(type, after.get(id)) }).toEqual({ type, text: sameText(type, text) });
      }
      for (const job of ['there', 'back']) {
        const { code, stdout } = await scenario.trueup('verify', job, '--json');
        expect({ job, code, report: JSON.parse(stdout) as unknown }).toMatchObject({
          code: 0,
          report: { streams: [{ different: 0, missing: 0, extra: 0 }] },
        });
      }
    });

    it('loses only what the plan declares, once a policy allows it, and counts it', { timeout: 600_000 }, async () => {
      const { scenario } = await openEverything('truncate');
      const plan = JSON.parse((await scenario.trueup('plan', 'there', '--json')).stdout) as {
        jobs: { streams: { fields: { from: string; to: string; loss?: string }[] }[] }[];
      };
      const declaredLosses = plan.jobs[0]?.streams[0]?.fields.filter(({ loss }) => loss !== undefined).map(({ to }) => to);
      const { conversions } = (await run(scenario, 'there')).stream('public.everything');
      const kinds = conversions.map(({ field, kind }) => `${COLUMNS.find(({ name }) => name === field)?.type} ${kind}`);
      expect(kinds.toSorted()).toMatchInlineSnapshot(`
        [
          "json json-null",
          "json repeated-name",
          "jsonb json-null",
          "jsonb rounded",
          "numeric rounded",
          "numeric[] rounded",
          "timestamptz truncated-to-ms",
        ]
      `);
      for (const { field, count } of conversions) {
        expect(declaredLosses).toContain(field);
        expect(count).toBeGreaterThan(0);
      }
    });
  });
});
