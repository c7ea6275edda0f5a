import { Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const FORM = 'lines/plain';
const TEXTS = ['tab\t and \\ backslash', 'line\nand\r\nline', '\\N', '', 'ünïcödé 🚲', '"quoted"'];

function thing(n: number, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    _id: Long.fromNumber(n),
    label: TEXTS[n % TEXTS.length],
    price: Decimal128.fromString(`${n % 7 === 0 ? '-' : ''}${n}.50`),
    share: new Double(n / 3),
    ref: new ObjectId(String(n).padStart(24, '0')),
    done: n % 2 === 0,
    shippedAt: n % 3 === 0 ? new Date(Date.UTC(2026, 0, 1) - n * 86_400_001) : null,
    address: { city: TEXTS[(n + 1) % TEXTS.length], no: new Int32(n) },
    tags: n % 5 === 0 ? ['a', TEXTS[n % TEXTS.length], new Int32(n)] : new Int32(n),
    updatedAt: new Date(1_790_000_000_000 + n),
    ...more,
  };
}

async function things(
  count: number,
  more: readonly Readonly<Record<string, unknown>>[] = [],
): Promise<{ scenario: Scenario; mongo: TestMongo }> {
  const scenario = await openScenario();
  const mongo = await createMongoDatabase('lines');
  await mongo.db.collection('things').createIndex({ updatedAt: 1, _id: 1 });
  await mongo.db
    .collection<{ _id: unknown }>('things')
    .insertMany([
      ...Array.from({ length: count }, (_, index) => thing(index + 1) as { _id: unknown }),
      ...more.map((one, index) => thing(count + 1 + index, one) as { _id: unknown }),
    ]);
  await scenario.write(
    'trueup.yaml',
    `connections:
  archive: { connector: mongodb, url: "${mongo.url}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
jobs:
  things:
    source: archive
    target: copy
    streams: [{ from: things, to: public.things, changes: { by: cursor, field: updatedAt }, lookback: 1s }]
`,
  );
  return { scenario, mongo };
}

async function expectNoDifference(scenario: Scenario): Promise<void> {
  const { code, stdout } = await scenario.trueup('verify', 'things', '--json');
  expect(`${code} ${stdout}`).toMatch(/^0 /);
}

describeWithPostgres('documents that no mapping looks into', () => {
  describeWithMongo('with both servers', () => {
    it('go from MongoDB to Postgres as lines made of their bytes, on the first load and afterwards', { timeout: 120_000 }, async () => {
      const { scenario, mongo } = await things(3_000);
      const first = await scenario.run('things');
      expect(first.stream('things')).toMatchObject({ form: FORM, upserted: 3_000, deadLettered: 0 });
      await expectNoDifference(scenario);
      const [row] = await scenario.target.query(
        'select label, price::text, "address.city" as city, "*"::text as rest from public.things where _id = 7',
      );
      expect(row).toEqual({ label: TEXTS[1], price: '-7.50', city: TEXTS[2], rest: '{"shippedAt": null}' });
      await mongo.db
        .collection<{ _id: unknown }>('things')
        .updateMany({ done: true }, { $set: { label: 'changed\t', updatedAt: new Date(1_790_001_000_000) } });
      expect((await scenario.run('things')).stream('things')).toMatchObject({ form: FORM, upserted: 1_500 });
      await expectNoDifference(scenario);
    });

    it(
      'leave a letter for each document that the target cannot hold, and arrive as cells where no line can hold them',
      { timeout: 120_000 },
      async () => {
        const { scenario } = await things(500, [{ label: 'x\0' }, { extra: Number.NaN }, { updatedAt: new Date(-62_200_000_000_000) }]);
        const first = await scenario.run('things');
        expect(first.code).toBe(3);
        expect(first.stream('things')).toMatchObject({ form: FORM, upserted: 501 });
        const letters = await scenario.trueup('dead-letters', 'list', '--json');
        expect((JSON.parse(letters.stdout) as { letters: { key: string }[] }).letters.map(({ key }) => key).toSorted()).toEqual([
          '501',
          '502',
        ]);
      },
    );
  });
});
