import { describe, expect, it } from 'vitest';
import type { Cell } from '../../src/model/cell.ts';
import type { Source } from '../../src/model/contracts.ts';
import type { Shape } from '../../src/model/shape.ts';
import { COMPARE, expectSame, items, loaded, put, remove, sorted } from './compared-job.ts';
import { ITEMS, openMemoryJob } from './memory-job.ts';

const lower = (cell: Cell): string => (typeof cell === 'string' ? cell.toLowerCase() : '');

describe('deletes by compare', () => {
  it('delete what the source no longer has, count it, and say so in the guarantee', async () => {
    const job = await loaded();
    remove(job.source, [[3], [700]]);
    put(job.source, [[5, 'changed', 5_000n]]);
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 0, guarantee: { deletes: 'by-compare' } });
    expect(report.streams[0]).toMatchObject({ read: 3, upserted: 1, deleted: 2, compared: { source: 998, target: 1_000 } });
    expectSame(job);
    expect((await job.run()).streams[0]).toMatchObject({ read: 0, deleted: 0, compared: { source: 998, target: 998 } });
  });

  it('delete nothing at all when more is gone than maxShare allows, and say both numbers', async () => {
    const job = await loaded();
    remove(
      job.source,
      items(0, 51).map((row) => row.slice(0, 1)),
    );
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 5, status: 'failed' });
    expect(report.streams[0]).toMatchObject({ status: 'failed', deleted: 0, error: { code: 'E_DELETES' } });
    expect(report.streams[0]?.error?.message).toMatch(/51 of 1000 records .*5\.1 %.*at most 5 %/);
    expect(job.target.rows('items')).toHaveLength(1_000);
    put(job.source, items(0, 1));
    expect((await job.run()).exitCode).toBe(0);
    expectSame(job);
  });

  it(
    'ask the guard again where the gone are too many to keep, and the source loses more while it is read again',
    { timeout: 60_000 },
    async () => {
      const rows = 105_000;
      let scans = 0;
      const job = await loaded({
        rows,
        streams: [{ from: 'items', deletes: { when: null, compare: { ...COMPARE, maxShare: 0.97 } } }],
        wrapSource: (source): Source => ({
          ...source,
          digests: undefined as never,
          async *scan(stream, signal) {
            if (++scans === 3)
              remove(
                job.source,
                [...job.source.rows('items')].map((row) => row.slice(0, 1)),
              );
            yield* source.scan!(stream, signal);
          },
        }),
      });
      scans = 0;
      remove(
        job.source,
        items(0, 101_000).map((row) => row.slice(0, 1)),
      );
      const report = await job.run();
      expect(report).toMatchObject({ exitCode: 5, streams: [{ status: 'failed', error: { code: 'E_DELETES' } }] });
      expect(job.target.rows('items').length).toBeGreaterThan(rows * 0.02);
    },
  );

  it('do not take an emptied source at its word', async () => {
    const job = await loaded({ rows: 20 });
    remove(
      job.source,
      items(0, 20).map((row) => row.slice(0, 1)),
    );
    expect((await job.run()).streams[0]?.error?.message).toMatch(/20 of 20 .*The source has no records at all/);
    expect(job.target.rows('items')).toHaveLength(20);
  });

  it('look at every record once more before they delete it', async () => {
    let readings = 0;
    const job = await loaded({
      wrapSource: (source): Source => ({
        ...source,
        // Both readings of the comparison miss the record. Then it comes back.
        async *scan(stream, signal) {
          yield* source.scan!(stream, signal);
          readings -= 1;
          if (readings === 0) put(job.source, [[3, 'back again', 6_000n]]);
        },
      }),
    });
    remove(job.source, [[3], [4]]);
    readings = 2;
    expect((await job.run()).streams[0]).toMatchObject({ deleted: 1, upserted: 1 });
    expectSame(job);
  });

  it('look once more as well where the source cannot be asked by key', async () => {
    let readings = 0;
    const job = await loaded({
      streams: [
        {
          from: 'items',
          mapping: { file: 'items.yaml', text: 'fields: { key: { from: id, mask: sha256 }, name: name, at: at }\nkey: [key]' },
          deletes: { when: null, compare: COMPARE },
        },
      ],
      wrapSource: (source): Source => ({
        ...source,
        async *scan(stream, signal) {
          yield* source.scan!(stream, signal);
          readings -= 1;
          if (readings === 0) put(job.source, [[3, 'item 3', 3n]]);
        },
      }),
    });
    remove(job.source, [[3], [4]]);
    readings = 2;
    expect((await job.run()).streams[0]).toMatchObject({ read: 1, deleted: 1 });
    const names = job.target.rows('items').map(([, name]) => name);
    expect(names).toContain('item 3');
    expect(names).not.toContain('item 4');
  });

  it('write a record that the source finds under another spelling of its key, and delete only the spelling that is gone', async () => {
    const name: Shape = {
      fields: [
        { name: 'id', type: 'text', nullable: false },
        { ...ITEMS.fields[2]!, name: 'at' },
      ],
      key: [0],
      open: false,
    };
    const job = openMemoryJob({
      streams: [{ from: 'items', deletes: { when: null, compare: { ...COMPARE, maxShare: 1 } } }],
      wrapSource: (source): Source => ({
        ...source,
        // As a case-insensitive text does.
        async *fetchBy(stream, fields, values, signal) {
          const all = job.source.rows('items').filter(([id]) => values.some(([value]) => lower(value) === lower(id)));
          yield* source.fetchBy!(
            stream,
            fields,
            all.map(([id]) => [id]),
            signal,
          );
        },
      }),
    });
    job.source.define('items', name);
    put(job.source, [
      ['a', 1n],
      ['b', 1n],
    ]);
    await job.run();
    remove(job.source, [['a'], ['b']]);
    // Nothing tells of this one: its `at` was not raised.
    job.source.write((transaction) => transaction.upsert('items', ['A', 0n]));
    const report = await job.run();
    expect(report.exitCode).toBe(0);
    expect(job.target.rows('items')).toEqual([['A', 0n]]);
  });

  it('leave records alone that are out of scope, and count the share within it', async () => {
    const job = await loaded({
      streams: [{ from: 'items', deletes: { when: null, compare: { ...COMPARE, scope: 'at >= 900', maxShare: 0.02 } } }],
    });
    remove(job.source, [[3], [950], [951]]);
    const report = await job.run();
    expect(report.guarantee?.assumes).toContain('deleted rows lie within the scope of the comparison: at >= 900');
    expect(report.streams[0]).toMatchObject({ deleted: 2, compared: { source: 997, target: 100 } });
    expect(sorted(job.target.rows('items')).filter(([id]) => id === 3)).toHaveLength(1);
    remove(job.source, [[960], [961]]);
    expect((await job.run()).streams[0]?.error?.message).toMatch(/2 of 98 records within the scope/);
  });

  it.each([
    [
      'a field that the mapping leaves out',
      'fields: { id: id, name: name }\notherFields: drop',
      /does not carry 'at' to the target unchanged/,
    ],
    ['a field that the mapping changes', 'fields: { id: id, at: { from: at, shift: 1 } }', /does not carry 'at'/],
  ])('refuse a scope by %s', async (_what, text, message) => {
    const job = openMemoryJob({
      streams: [
        {
          from: 'items',
          mapping: { file: 'items.yaml', text },
          deletes: { when: null, compare: { ...COMPARE, scope: 'at > 1' } },
        },
      ],
    });
    job.source.define('items', ITEMS);
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 2 });
    expect(report.error?.message).toMatch(message);
  });

  it('ask for the record by the key that the mapping made the key of the target from', async () => {
    const job = await loaded({
      streams: [
        {
          from: 'items',
          mapping: { file: 'items.yaml', text: 'fields: { key: { from: id, shift: -2 }, name: name, at: at }\nkey: [key]' },
          deletes: { when: null, compare: COMPARE },
        },
      ],
    });
    remove(job.source, [[350]]);
    expect((await job.run()).streams[0]).toMatchObject({ read: 1, deleted: 1 });
    expect(job.target.rows('items').some(([key]) => key === '3.50')).toBe(false);
    expect(job.target.rows('items')).toHaveLength(999);
  });

  it('find records whose key cannot be turned around by reading the source again', async () => {
    const hidden = await loaded({
      streams: [
        {
          from: 'items',
          mapping: { file: 'items.yaml', text: 'fields: { key: { from: id, mask: sha256 }, name: name, at: at }\nkey: [key]' },
          deletes: { when: null, compare: COMPARE },
        },
      ],
    });
    remove(hidden.source, [[350], [351]]);
    expect((await hidden.run()).streams[0]).toMatchObject({ read: 2, deleted: 2 });
    expect(hidden.target.rows('items').map(([, name]) => name)).not.toContain('item 350');
    expect(hidden.target.rows('items')).toHaveLength(998);
  });

  it('list again what is too much to keep in memory, and delete all of it', { timeout: 60_000 }, async () => {
    const job = await loaded({ rows: 10, streams: [{ from: 'items', deletes: { when: null, compare: { ...COMPARE, maxShare: 1 } } }] });
    put(job.target, items(10, 100_150));
    put(job.source, items(100_100, 100_150));
    const report = await job.run();
    expect(report.streams[0]).toMatchObject({ deleted: 100_090 });
    expectSame(job);
  });

  it('are forgotten with the stream, and by hand', async () => {
    const job = await loaded({
      streams: [{ from: 'items', deletes: { when: null, compare: { ...COMPARE, schedule: '0 3 1 1 *' } } }],
    });
    put(job.target, [[5_000, 'left over', 1n]]);
    expect((await job.run()).streams[0]).toMatchObject({ deleted: 0 });
    expect((await job.run({ resume: { full: true } })).streams[0]).toMatchObject({ phase: 'both', deleted: 1 });
    expectSame(job);
  });

  it('compare by their schedule, and at once when they never have', async () => {
    const job = await loaded({
      streams: [{ from: 'items', deletes: { when: null, compare: { ...COMPARE, schedule: '0 3 1 1 *' } } }],
    });
    const record = () => [...job.target.control.checkpoints.values()].find(({ feed }) => feed.kind === 'compare');
    expect(record()).toMatchObject({
      feed: { id: 'compare:items' },
      state: 'done',
      position: { text: expect.stringMatching(/1000 in the source/) },
    });
    remove(job.source, [[3]]);
    expect((await job.run()).streams[0]).not.toHaveProperty('compared');
    expect(job.target.rows('items')).toHaveLength(1_000);
    // As if the last comparison lay two years back.
    const before = record()!;
    job.target.control.checkpoints.set([...job.target.control.checkpoints].find(([, one]) => one.feed.kind === 'compare')![0], {
      ...before,
      cursor: { at: new Date(Date.now() - 2 * 366 * 86_400_000).toISOString() },
    });
    expect((await job.run()).streams[0]).toMatchObject({ deleted: 1 });
  });
});
