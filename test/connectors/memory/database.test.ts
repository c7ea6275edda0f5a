import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import memory, { dropMemoryDatabase, memoryDatabase } from '../../../connectors/memory/index.ts';
import type { MemoryDatabase } from '../../../connectors/memory/index.ts';
import type { Shape } from '../../../src/sdk.ts';

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'label', type: 'text', nullable: true },
  ],
  key: [0],
  open: false,
};

describe('a memory database', () => {
  it('is the same for every connection that names it, and another after it was dropped', () => {
    const name = randomUUID();
    const database = memoryDatabase(name);
    expect(memoryDatabase(name)).toBe(database);
    dropMemoryDatabase(name);
    expect(memoryDatabase(name).identity).not.toBe(database.identity);
    dropMemoryDatabase(name);
  });

  it('shows a transaction to nobody before it commits, and to itself at once', () => {
    const database = filled();
    const transaction = database.begin();
    transaction.upsert('things', [1n, 'changed'], [3n, 'new']);
    transaction.delete('things', [2n]);
    expect(transaction.rows('things')).toEqual([
      [1n, 'changed'],
      [3n, 'new'],
    ]);
    expect(transaction.get('things', [2n])).toBeNull();
    expect(database.rows('things')).toEqual([
      [1n, 'a'],
      [2n, 'b'],
    ]);
    transaction.truncate('things');
    transaction.upsert('things', [4n, 'after']);
    expect(transaction.rows('things')).toEqual([[4n, 'after']]);
    transaction.commit();
    expect(database.rows('things')).toEqual([[4n, 'after']]);
  });

  it('logs every change once, numbered, with the end of each transaction marked', () => {
    const database = filled();
    database.write((transaction) => {
      transaction.patch('things', [1n, undefined], [9n, 'not there']);
      transaction.delete('things', [2n], [9n]);
      transaction.touch('things', [1n]);
    });
    const log = [...database.log(0, database.version)].map(({ sequence, op, key, last }) => [sequence, op, key, last]);
    expect(log).toEqual([
      [1, 'upsert', [1n], false],
      [2, 'upsert', [2n], true],
      [3, 'patch', [1n], false],
      [4, 'delete', [2n], false],
      [5, 'touch', [1n], true],
    ]);
  });

  it('refuses cells that are no carriers, with nothing written', () => {
    const database = filled();
    expect(() => database.write((transaction) => transaction.upsert('things', [3n, 'fine'], [4 as unknown as bigint, 'not fine']))).toThrow(
      /Field 'id'.*bigint/,
    );
    expect(() => database.write((transaction) => transaction.upsert('things', [null, 'x']))).toThrow(/not nullable/);
    expect(database.rows('things')).toHaveLength(2);
  });

  it('keeps values by name when a collection gets another shape', () => {
    const database = filled();
    database.define('things', { ...SHAPE, fields: [{ name: 'note', type: 'text', nullable: true }, ...SHAPE.fields], key: [1] });
    expect(database.rows('things')).toEqual([
      [null, 1n, 'a'],
      [null, 2n, 'b'],
    ]);
  });

  it('says which collections there are when one is missing', () => {
    expect(() => filled().rows('thing')).toThrow(/no collection 'thing'. Collections: things/);
  });

  it('cannot deliver from a log that it has trimmed', async () => {
    const name = randomUUID();
    const database = filled(name);
    database.trimLog(1);
    const source =
      memory.openSource?.({ database: name }, { connection: 'c', baseDir: '.', log: { debug() {}, info() {}, warn() {}, error() {} } }) ??
      expect.unreachable();
    const stream = { name: 'things', changes: { by: 'log' as const }, key: ['id'], fields: null, except: [], maxRecordBytes: 1000 };
    const read = (after: { log: number } | null): Promise<unknown[]> =>
      Array.fromAsync(
        source.fetchChanges({
          feed: source.feeds([stream])[0] ?? expect.unreachable(),
          streams: [stream],
          after,
          forms: new Map(),
          batchRows: 10,
          batchBytes: 1000,
          until: 'drain',
          signal: new AbortController().signal,
        }),
      );
    await expect(read(null)).rejects.toMatchObject({ code: 'E_POSITION_LOST' });
    expect(await read({ log: 1 })).toMatchObject([{ cursor: { log: 2 }, records: { count: 1 } }]);
  });

  it('wakes who waits for a change, and leaves nobody waiting after an abort', async () => {
    const database = filled();
    const signal = new AbortController();
    const waiting = database.changedSince(database.version, signal.signal);
    database.write((transaction) => transaction.upsert('things', [3n, 'c']));
    await waiting;
    const aborted = database.changedSince(database.version, signal.signal);
    signal.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
  });
});

function filled(name: string = randomUUID()): MemoryDatabase {
  onTestFinished(() => dropMemoryDatabase(name));
  const database = memoryDatabase(name);
  database.define('things', SHAPE);
  database.write((transaction) => transaction.upsert('things', [1n, 'a'], [2n, 'b']));
  return database;
}
