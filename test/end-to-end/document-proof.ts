import { setTimeout as sleep } from 'node:timers/promises';
import { Decimal128, Double, Int32, Long } from 'mongodb';
import { expect } from 'vitest';
import { createMongoDatabase } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { DOCUMENT_PLANTS, plantDocuments, plantHarmless, seedForDocuments, watchDocuments } from './document-plants.ts';
import { exitAndPeak } from './peak-memory.ts';
import { PLANTS, plantAll, watchWrites, writtenIds } from './plants.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { verify, verifiedOf } from './verify-scenario.ts';

/** How much is compared, and how many differences of every kind are planted, `step` ids apart. */
export interface ProofSize {
  readonly rows: number;
  readonly each: number;
  readonly step: number;
}

export interface Proved {
  /** Of a verify that found no difference (ms), and its memory (bytes). */
  readonly ms: number;
  readonly peakBytes: number;
  readonly scenario: Scenario;
  readonly mongo: TestMongo;
}

const job = (source: string, target: string, stream: string) => `
  things:
    source: ${source}
    target: ${target}
    streams: [{ ${stream} }]
`;

async function open(jobs: string): Promise<{ readonly scenario: Scenario; readonly mongo: TestMongo }> {
  const scenario = await openScenario();
  const mongo = await createMongoDatabase('proof');
  await scenario.write(
    'trueup.yaml',
    `connections:\n  shop: { connector: postgres, url: "\${SHOP_URL}" }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n  archive: { connector: mongodb, url: "${mongo.url}", collections: { things: { fields: { details: variant } } } }\njobs:${jobs}`,
  );
  return { scenario, mongo };
}

async function cleanVerify(scenario: Scenario, rows: number): Promise<Pick<Proved, 'ms' | 'peakBytes'>> {
  const { exit, peakBytes } = await exitAndPeak(scenario.start(['verify', '--json', 'things']), 10 * 60_000);
  const verified = verifiedOf(exit);
  expect(verified).toMatchObject({ code: 0, report: { streams: [{ compared: { source: rows, target: rows } }] } });
  return { ms: verified.report.durationMs, peakBytes };
}

/** Rows in PostgreSQL, documents in MongoDB that somebody tampered with, and a writer on the rows. */
export async function proveDocuments({ rows, each, step }: ProofSize): Promise<Proved> {
  const { scenario, mongo } = await open(job('shop', 'archive', 'from: public.things, changes: { by: cursor, field: at }'));
  const things = mongo.db.collection('things');
  await seedForDocuments(scenario.source, rows);
  expect((await scenario.run()).stream('public.things')).toMatchObject({ upserted: rows, deadLettered: 0 });
  const clean = await cleanVerify(scenario, rows);

  const planted = await plantDocuments(things, each, step);
  await plantHarmless(things, [step * 2 - 1, step * 3 - 1]);
  const writer = await startWriter(scenario, rows, step);
  const count = (kind: string) => DOCUMENT_PLANTS.filter((plant) => plant.kind === kind).length * each;
  const all = { missing: count('missing'), extra: count('extra'), different: count('different') };
  const found = await verify(scenario, 'things');
  expect(found.code).toBe(4);
  expect(found.stream()).toMatchObject(all);
  expect(found.stream().explained.pending).toBeGreaterThan(0);
  const watched = await watchDocuments(mongo.db, 'things');
  const repaired = await verify(scenario, 'things', '--repair', '--max-repair', String(DOCUMENT_PLANTS.length * each));
  expect(repaired.stream()).toMatchObject({ ...all, repaired: DOCUMENT_PLANTS.length * each });
  expect(repaired.code).toBe(0);
  const ids = [...planted].flatMap(([{ kind }, of]) => (kind === 'extra' ? of.map((id) => -id) : of));
  expect(await watched.ids()).toEqual(ids.toSorted((a, b) => a - b));
  await writer.stop();
  await expectClean(scenario);
  return { ...clean, scenario, mongo };
}

async function expectClean(scenario: Scenario): Promise<void> {
  expect((await scenario.run()).code).toBe(0);
  expect((await verify(scenario, 'things')).stream()).toMatchObject({ missing: 0, extra: 0, different: 0, explained: { pending: 0 } });
}

/** Changes and adds rows that carry no plant, transaction after transaction. */
async function startWriter({ source }: Scenario, rows: number, step: number): Promise<{ stop(): Promise<void> }> {
  const client = await source.connect();
  const now = `date_trunc('milliseconds', clock_timestamp())`;
  return repeat(async (round) => {
    await client.query(
      `update public.things set label = 'round ${round}', amount = amount + 1, at = ${now} where id % ${step} = ${step / 2} and id / ${step} % 50 = ${round % 50}`,
    );
    await client.query(
      `insert into public.things select ${rows + 1} + ${round} * 3 + n, ${now}, 1, '', null, 0, 0, 0, null, '{}', '', true from generate_series(0, 2) n`,
    );
  });
}

async function repeat(work: (round: number) => Promise<unknown>): Promise<{ stop(): Promise<void> }> {
  let done = false;
  const first = Promise.withResolvers<void>();
  const working = (async () => {
    for (let round = 0; !done; round++) {
      await work(round);
      first.resolve();
      // Other tests share the servers and the machine.
      await sleep(10);
    }
  })();
  working.catch(first.reject);
  await first.promise;
  return {
    stop: async () => {
      done = true;
      await working;
    },
  };
}

const at = (ms: number): Date => new Date(Date.UTC(2026, 0, 1) + ms);

function thing(id: number) {
  return {
    _id: Long.fromNumber(id) as never,
    id: Long.fromNumber(id),
    at: at(id),
    amount: Decimal128.fromString(`${id}.123456`),
    label: '',
    ratio: new Double(0),
    details: { a: new Int32(id), b: [new Int32(1), new Int32(id)] },
    flag: id % 2 === 0,
    ...(id % 50 === 3 ? { rare: { deep: 'er' } } : {}),
  };
}

/** Documents in MongoDB, rows in PostgreSQL that somebody tampered with, and a writer on the documents. */
export async function proveRows({ rows, each, step }: ProofSize): Promise<Proved> {
  const { scenario, mongo } = await open(
    job('archive', 'copy', 'from: things, to: public.things, changes: { by: cursor, field: at }, lookback: 2s, mapping: things.yaml'),
  );
  await scenario.write(
    'things.yaml',
    'fields: { id: _id, at: at, amount: amount, label: label, ratio: ratio, details: details, flag: flag }\notherFields: keep\ndrop: [id]\n',
  );
  const things = mongo.db.collection('things');
  await things.createIndex({ at: 1, _id: 1 });
  for (let from = 1; from <= rows; from += 10_000)
    await things.insertMany(Array.from({ length: Math.min(10_000, rows - from + 1) }, (_, n) => thing(from + n)));
  expect((await scenario.run()).stream('things')).toMatchObject({ upserted: rows, deadLettered: 0 });
  const clean = await cleanVerify(scenario, rows);
  const planted = await plantAll(scenario.target, each, step);
  const differing = PLANTS.filter(({ kind }) => kind === 'different').length * each;
  const all = { missing: each, extra: each, different: differing };
  await watchWrites(scenario.target, 'public.things');
  const writer = await repeat(async (round) => {
    const ids = Array.from({ length: 10 }, (_, n) => Long.fromNumber(((round * 10 + n) % Math.floor(rows / step)) * step + step / 2));
    await things.updateMany({ _id: { $in: ids as never[] } }, [{ $set: { label: `round ${round}`, at: '$$NOW' } }]);
    await things.insertOne({ ...thing(rows + 1 + round), at: new Date() });
  });
  expect((await verify(scenario, 'things')).stream()).toMatchObject(all);
  const repaired = await verify(scenario, 'things', '--repair', '--max-repair', String(PLANTS.length * each));
  expect(repaired.stream()).toMatchObject({ ...all, repaired: PLANTS.length * each });
  expect(repaired.code).toBe(0);
  const ids = [...planted].flatMap(([{ kind }, of]) => (kind === 'extra' ? of.map((id) => -id) : of));
  expect(await writtenIds(scenario.target)).toEqual(ids.toSorted((a, b) => a - b));
  await writer.stop();
  await expectClean(scenario);
  return { ...clean, scenario, mongo };
}
