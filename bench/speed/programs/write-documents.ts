/**
 * `node write-documents.ts URL COLLECTION insert|replace COUNT flat|lines IN_FLIGHT`: what the driver alone can do. Documents are made first, outside
 * of the time that is printed; majority acknowledged, unordered, thousands a command.
 */
import { MongoClient } from 'mongodb';
import type { AnyBulkWriteOperation, Document, ObjectId } from 'mongodb';
import { order, orderWithLines } from './documents.ts';

const BATCH = 5000;
const [url = '', collection = '', how = 'insert', count = '0', kind = 'flat', inFlight = '2'] = process.argv.slice(2);
const client = await MongoClient.connect(url);
const into = client.db('bench').collection(collection);
/** Another one than the document holds by now: the server leaves a document alone that is replaced by itself. */
const total = Math.floor(Date.now() % 1_000_000_000) / 100;
const made = Array.from({ length: Number(count) }, (_, index) =>
  kind === 'lines' ? orderWithLines(index + 1) : how === 'replace' ? order((index + 1) * 10, total) : order(index + 1),
);
const batches: Document[][] = [];
for (let from = 0; from < made.length; from += BATCH) batches.push(made.slice(from, from + BATCH));

const startedAt = performance.now();
const write = async (): Promise<void> => {
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    if (how === 'insert') await into.insertMany(batch, { ordered: false, writeConcern: { w: 'majority' } });
    else
      await into.bulkWrite(
        batch.map((replacement): AnyBulkWriteOperation => ({
          replaceOne: { filter: { _id: replacement['_id'] as ObjectId }, replacement, upsert: true },
        })),
        { ordered: false, writeConcern: { w: 'majority' } },
      );
  }
};
await Promise.all(Array.from({ length: Number(inFlight) }, write));
process.stdout.write(JSON.stringify({ wallMs: performance.now() - startedAt }));
await client.close();
