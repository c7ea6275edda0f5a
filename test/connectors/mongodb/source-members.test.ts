import { Int32 } from 'bson';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import { drainOnce, fetchRequest, openSource, streamRef } from './source-kit.ts';

const COUNT = 95;

describeWithMongo('connectors: mongodb as a source, by the member that is read from', { timeout: 60_000 }, () => {
  it.for(['primary', 'secondaryPreferred'])('delivers every document over many answers of the server, from %s', async (readPreference) => {
    await using mongo = await createMongoDatabase('members');
    const documents = Array.from({ length: COUNT }, (_, n) => ({ _id: new Int32(n) as never, n: 'x'.repeat(n), updatedAt: new Date(n) }));
    await mongo.db.collection('things').insertMany(documents);
    const { rows } = await drainOnce(mongo.url, streamRef('things'), { options: { readPreference }, batchRows: 10 });
    expect(rows.map((row) => row['_id'])).toEqual(documents.map((_, n) => n));
    expect(rows.map((row) => row['n'])).toEqual(documents.map(({ n }) => n));
  });

  it('leaves no cursor behind on the primary when it is left half-way', async () => {
    await using mongo = await createMongoDatabase('members');
    await mongo.db
      .collection('things')
      .insertMany(Array.from({ length: COUNT }, (_, n) => ({ _id: new Int32(n) as never, updatedAt: new Date(n) })));
    const source = openSource(mongo.url);
    try {
      const ref = streamRef('things', { changes: { by: 'cursor', field: 'updatedAt' } });
      for await (const batch of source.fetchChanges(fetchRequest(source, ref, { batchRows: 10 }))) {
        expect(batch.records.count).toBe(10);
        break;
      }
      const left = () =>
        mongo.client
          .db('admin')
          .aggregate([
            { $currentOp: { idleCursors: true, allUsers: true } },
            { $match: { type: 'idleCursor', ns: `${mongo.db.databaseName}.things` } },
          ])
          .toArray();
      await expect.poll(left, { timeout: 20_000 }).toEqual([]);
    } finally {
      await source.close();
    }
  });
});
