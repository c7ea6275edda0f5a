import { Binary, Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import type { Collection } from 'mongodb';
import { expect, it } from 'vitest';
import { rawDocument, rawElements } from '../../connectors/mongodb/bson/read.ts';
import type { RawValue } from '../../connectors/mongodb/bson/read.ts';
import { extendedJson } from '../../connectors/mongodb/bson/ejson-write.ts';
import { bsonDocument } from '../connectors/mongodb/bson-values.ts';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario, ranOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const SEED = Number(process.env['SEED'] ?? 20_261_128);
const COUNT = 200;

/** What the server holds, byte for byte, by `_id`. */
async function bytesOf(collection: Collection): Promise<Buffer[]> {
  const found = await collection.find({}, { raw: true, sort: { _id: 1 } }).toArray();
  return (found as unknown as Uint8Array[]).map((document) => Buffer.from(document));
}

/** A document as text, the names on the way to fields in one order. */
function unordered(bytes: Buffer, deep: boolean): string {
  const text = (value: RawValue): string =>
    value.type === 3 && deep
      ? `{${rawElements(value)
          .map(({ name, value: inner }) => `${JSON.stringify(name)}:${text(inner)}`)
          .sort()
          .join()}}`
      : extendedJson(value);
  const elements = rawElements(rawDocument(bytes)).map(({ name, value }) => `${JSON.stringify(name)}:${text(value)}`);
  return elements.sort().join();
}

async function ran(scenario: Scenario, job: string, ...more: readonly string[]) {
  return ranOf(await scenario.trueup('run', job, '--json', ...more));
}

describeWithMongo('documents of any kind', () => {
  it(
    'are in another collection what they were: whole to the byte, by fields but for the order of names',
    { timeout: 600_000 },
    async () => {
      const from = await createMongoDatabase('from');
      const [whole, parts] = [await createMongoDatabase('whole'), await createMongoDatabase('parts')];
      const scenario = await openScenario();
      const documents = fc.sample(bsonDocument, { seed: SEED, numRuns: COUNT });
      const things = from.db.collection('things');
      await things.insertMany(documents.map((document, id) => new Map([['_id', new Int32(id)], ...document]) as never));
      await scenario.write(
        'trueup.yaml',
        `connections:
  whole-from: { connector: mongodb, url: "${from.url}", documents: whole }
  from: { connector: mongodb, url: "${from.url}" }
  whole: { connector: mongodb, url: "${whole.url}" }
  parts: { connector: mongodb, url: "${parts.url}" }
jobs:
  whole: { source: whole-from, target: whole, streams: [{ from: things, changes: { by: snapshot } }] }
  parts: { source: from, target: parts, streams: [{ from: things, changes: { by: snapshot } }] }
`,
      );
      const before = await bytesOf(things);
      for (const job of ['whole', 'parts']) {
        const first = await ran(scenario, job);
        expect({ seed: SEED, job, stream: first.stream('things') }).toMatchObject({ stream: { upserted: COUNT, deadLettered: 0 } });
        const second = await ran(scenario, job);
        expect({ job, stream: second.stream('things') }).toMatchObject({ stream: { upserted: 0, deleted: 0, deadLettered: 0 } });
        const { code, stdout } = await scenario.trueup('verify', job, '--json');
        expect({ job, code, report: JSON.parse(stdout) as unknown }).toMatchObject({
          code: 0,
          report: { streams: [{ compared: { source: COUNT, target: COUNT } }] },
        });
      }
      expect((await bytesOf(whole.db.collection('things'))).map((bytes) => bytes.toString('hex'))).toEqual(
        before.map((bytes) => bytes.toString('hex')),
      );
      expect((await bytesOf(parts.db.collection('things'))).map((bytes) => unordered(bytes, true))).toEqual(
        before.map((bytes) => unordered(bytes, true)),
      );
      // One document that somebody else touched, where no field says so.
      await whole.db.collection('things').updateOne({ _id: 7 as never }, { $set: { '🙂': 1 } });
      const { stdout } = await scenario.trueup('verify', 'whole', '--json');
      expect(JSON.parse(stdout)).toMatchObject({ streams: [{ different: 1, missing: 0, extra: 0 }] });
    },
  );
});

/** Values of every BSON type that PostgreSQL has a type for; numbers that are not plain, dates and texts within what it takes. */
const typed = fc.record({
  flag: fc.boolean(),
  int: fc.integer().map((value) => new Int32(value)),
  long: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
  ratio: fc.oneof(fc.double(), fc.constantFrom(-0, 0, Number.NaN, Infinity, -Infinity)).map((value) => new Double(value)),
  total: fc
    .oneof(
      fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '0.00', '1.50'),
      fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat({ max: 9999 })).map(([whole, part]) => `${whole}.${part}`),
    )
    .map((value) => Decimal128.fromString(value)),
  label: fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('\0')),
  owner: fc.uint8Array({ minLength: 12, maxLength: 12 }).map((value) => new ObjectId(value)),
  at: fc.integer({ min: -200_000_000_000_000, max: 9_000_000_000_000_000 - 1e15 }).map((ms) => new Date(ms)),
  raw: fc.uint8Array({ maxLength: 20 }).map((value) => new Binary(value, 0)),
  ref: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((value) => new Binary(value, 4)),
  place: fc.record({
    x: fc.integer().map((value) => new Int32(value)),
    y: fc.string({ maxLength: 3 }).filter((text) => !text.includes('\0')),
  }),
});

describeWithPostgres('documents of the types that PostgreSQL has', () => {
  describeWithMongo('with both servers', () => {
    it('come back from tables as they were', { timeout: 600_000 }, async () => {
      const mongo = await createMongoDatabase('typed');
      const back = await createMongoDatabase('back');
      const scenario = await openScenario();
      const things = mongo.db.collection('things');
      const documents = fc.sample(typed, { seed: SEED, numRuns: COUNT });
      await things.insertMany(documents.map((document) => ({ _id: new ObjectId(), ...document })) as never);
      await scenario.write(
        'trueup.yaml',
        `connections:
  from: { connector: mongodb, url: "${mongo.url}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
  back: { connector: mongodb, url: "${back.url}" }
jobs:
  there: { source: from, target: copy, streams: [{ from: things, to: public.things, changes: { by: snapshot } }] }
  back: { source: copy, target: back, streams: [{ from: public.things, key: [_id], changes: { by: snapshot }, mapping: back.yaml }] }
`,
      );
      await scenario.write(
        'back.yaml',
        'fields: { _id: { from: _id, type: objectId }, owner: { from: owner, type: objectId } }\notherFields: keep\ndrop: ["*"]\n',
      );
      for (const [job, stream] of [
        ['there', 'things'],
        ['back', 'public.things'],
      ] as const) {
        const { stream: of, code } = await ran(scenario, job);
        expect({ seed: SEED, job, code, stream: of(stream) }).toMatchObject({ code: 0, stream: { upserted: COUNT, deadLettered: 0 } });
        expect(of(stream).conversions ?? []).toEqual([]);
        expect(await scenario.trueup('verify', job)).toMatchObject({ code: 0 });
      }
      const [before, after] = [await bytesOf(things), await bytesOf(back.db.collection('things'))];
      expect(after.map((bytes) => unordered(bytes, true))).toEqual(before.map((bytes) => unordered(bytes, true)));
    });
  });
});
