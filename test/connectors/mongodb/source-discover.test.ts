import { Int32 } from 'bson';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo, mongoUrl, withDatabase } from '../../servers/mongo.ts';
import { drainOnce, NEVER, openSource, streamRef } from './source-kit.ts';

describeWithMongo('connectors: mongodb discover and plan', () => {
  it('finds collections and views, their fields by path, and how often each type was seen', async () => {
    const { db, url } = await createMongoDatabase('discover');
    await db.collection('orders').insertMany(
      Array.from({ length: 200 }, (_, index) => ({
        _id: index as never,
        total: index % 4 === 0 ? 'none' : new Int32(index),
        customer: index % 2 === 0 ? { name: 'a', tags: ['x'] } : { name: null },
        updatedAt: new Date(index),
        ...(index === 3 ? { rare: 1 } : {}),
      })),
    );
    await db.createCollection('plain', { viewOn: 'orders', pipeline: [{ $project: { total: 1, 'customer.name': 1 } }] });
    const source = openSource(url);
    const found = await source.discover(NEVER);
    expect(found.map(({ name, kind }) => ({ name, kind }))).toEqual([
      { name: 'orders', kind: 'collection' },
      { name: 'plain', kind: 'view' },
    ]);
    const [orders, plain] = found;
    expect(Object.fromEntries(orders?.shape.fields.map((field) => [field.name, field.type]) ?? [])).toEqual({
      _id: 'int32',
      total: 'variant',
      'customer.name': 'text',
      'customer.tags': 'variant',
      updatedAt: 'timestamptz',
      '*': 'variant',
    });
    expect(orders).toMatchObject({
      rowEstimate: 200,
      shape: { open: true, key: [0] },
      changes: [{ by: 'cursor', fields: ['updatedAt', '_id'] }, { by: 'snapshot' }, { by: 'log' }],
    });
    expect(plain?.changes[0]).toEqual({ by: 'snapshot' });
    expect(orders?.sample?.paths.find(({ path }) => path === 'customer.tags')).toEqual({
      path: 'customer.tags',
      share: 0.5,
      types: [{ type: 'array', share: 1 }],
    });
    expect(orders?.sample?.paths.find(({ path }) => path === 'total')?.types.map(({ type }) => type)).toEqual(['int', 'string']);
    const plan = await source.plan([streamRef('orders')], NEVER);
    const warnings = plan.streams[0]?.problems.map(({ severity, code, message }) => `${severity} ${code} ${message}`) ?? [];
    expect(warnings).toEqual([
      expect.stringMatching(/^warning E_CHANGES_SLOW No index .*'updatedAt'/),
      expect.stringMatching(/^warning E_CHANGES_LIMITED .*lookback/),
      expect.stringMatching(/^warning E_STREAM_UNKNOWN Few documents .* rare/),
    ]);
    expect(plan.streams[0]?.problems[0]?.statements).toEqual(['db.getCollection("orders").createIndex({ "updatedAt": 1, "_id": 1 })']);
    await source.close();
  });

  it('refuses what it cannot do, each with what there is', async () => {
    const { db, url } = await createMongoDatabase('refuse');
    await db.collection('things').insertOne({ n: new Int32(1) });
    const source = openSource(url);
    const errors = async (more: Parameters<typeof streamRef>[1]) => {
      const plan = await source.plan([streamRef('things', more)], NEVER);
      return plan.streams[0]?.problems.filter(({ severity }) => severity === 'error').map(({ code, message }) => `${code} ${message}`);
    };
    expect(await errors({ changes: { by: 'cursor', field: 'nope' } })).toEqual([
      expect.stringMatching(/^E_STREAM_UNKNOWN .*'nope'.*Fields: _id, n/),
    ]);
    expect(await errors({ changes: { by: 'xmin' } })).toEqual([expect.stringMatching(/^E_CHANGES_UNSUPPORTED .*cursor, snapshot/)]);
    expect(await errors({ changes: { by: 'cursor', field: 'n' }, lookbackMs: 1000 })).toEqual([
      expect.stringMatching(/^E_CHANGES_UNSUPPORTED .*int32/),
    ]);
    expect(await errors({ changes: { by: 'snapshot' }, fields: ['_id', 'other'] })).toEqual([
      expect.stringMatching(/^E_STREAM_UNKNOWN .*'other'/),
    ]);
    expect(await errors({ changes: { by: 'snapshot' }, query: '[]' })).toEqual([expect.stringMatching(/^E_CONFIG_INVALID .*view/)]);
    await source.close();
  });

  it('takes a path for a cursor and for a key', async () => {
    const { db, url } = await createMongoDatabase('paths');
    await db.collection('things').insertMany([
      { _id: 1 as never, meta: { id: 'b', at: new Date(2) } },
      { _id: 2 as never, meta: { id: 'a', at: new Date(1) } },
    ]);
    const ref = streamRef('things', { key: ['meta.id'], changes: { by: 'cursor', field: 'meta.at' } });
    const { rows, cursor } = await drainOnce(url, ref);
    expect(rows.map((row) => row['meta.id'])).toEqual(['a', 'b']);
    expect((await drainOnce(url, ref, { after: cursor })).rows).toEqual([]);
    const source = openSource(url);
    const found = await Array.fromAsync(source.fetchBy?.(ref, ['meta.id'], [['b']], NEVER) ?? []);
    expect(found.map((batch) => batch.records.count)).toEqual([1]);
    await source.close();
  });

  it('names the data, not the way to it', async () => {
    const name = async (url: string) => {
      const source = openSource(url);
      const identity = await source.identity(NEVER);
      await source.close();
      return identity;
    };
    const here = await name(withDatabase(mongoUrl(), 'one'));
    expect(here).toMatch(/^mongodb:[0-9a-f]{24}\/one$/);
    expect(await name(`${withDatabase(mongoUrl(), 'one').replace(/[?].*/, '')}?directConnection=true`)).toBe(here);
    expect(await name(withDatabase(mongoUrl(), 'two'))).not.toBe(here);
  });
});
