import { to as copyTo } from 'pg-copy-streams';
import { expect, it } from 'vitest';
import { proveDocuments, proveRows } from '../end-to-end/document-proof.ts';
import type { Proved } from '../end-to-end/document-proof.ts';
import { describeWithMongo } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';

const SIZE = { rows: 1_000_000, each: 1000, step: 100 };
const VERIFY_MEMORY = 200 * 1024 * 1024;

/** Reads both sides, one after the other, and lets the bytes go (ms). */
async function readBoth(database: TestDatabase, mongo: TestMongo): Promise<number> {
  const from = performance.now();
  const client = await database.connect();
  for await (const _chunk of client.query(copyTo('copy public.things to stdout')));
  await client.end();
  const cursor = mongo.db.collection('things').find({}, { raw: true, batchSize: 1000 });
  while (await cursor.hasNext()) cursor.readBufferedDocuments();
  return performance.now() - from;
}

async function report(what: string, { ms, peakBytes, mongo }: Proved, database: TestDatabase): Promise<void> {
  const reading = await readBoth(database, mongo);
  process.stdout.write(
    `verify of ${what}: ${Math.round(ms)} ms, ${(ms / reading).toFixed(2)} times reading both sides (${Math.round(reading)} ms), ${Math.round(peakBytes / 2 ** 20)} MiB\n`,
  );
  expect(peakBytes).toBeLessThan(VERIFY_MEMORY);
}

describeWithPostgres('verify of 1,000,000 rows and documents', () => {
  describeWithMongo('with both servers', () => {
    it('finds exactly 1,000 planted differences of each kind in documents and repairs exactly these, while rows change', async () => {
      const proved = await proveDocuments(SIZE);
      await report('documents', proved, proved.scenario.source);
    });

    it('finds exactly 1,000 planted differences of each kind in rows and repairs exactly these, while documents change', async () => {
      const proved = await proveRows(SIZE);
      await report('rows', proved, proved.scenario.target);
    });
  });
});
