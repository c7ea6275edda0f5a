import assert from 'node:assert/strict';
import type { Cell } from '../model/cell.ts';
import type { Batch } from '../model/contracts.ts';
import type { Check } from './check.ts';
import { NEVER } from './expectations.ts';
import type { SourceFixture } from './source-fixture.ts';
import { assertSame, byId, changesOf, drain, idsOf, numbered, openReplica, withSource } from './source-reading.ts';

const noLookup = (fixture: SourceFixture): string | null => {
  const source = fixture.open();
  void source.close();
  return source.fetchBy === undefined ? 'the source cannot look records up' : null;
};

export const lookupChecks: readonly Check<SourceFixture>[] = [
  {
    name: 'looks records up by key, as they are now, and leaves out what is not there',
    skip: noLookup,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 20));
      const keys = await keyCells(fixture, [3, 4, 19]);
      await fixture.update([{ id: 4, label: 'now' }]);
      const missing = await missingKey(fixture, 777);
      const batches = await lookUp(fixture, [fixture.fields.id], [...keys.map((key) => [key]), [missing]]);
      for (const batch of batches) {
        assert.equal(batch.cursor, null, 'a cursor of a look-up');
        assert.equal(batch.ops, null, 'ops of a look-up, which holds upserts only');
      }
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        await replica.apply(batches);
        assertSame(
          replica.records,
          byId([
            { id: 3, label: 'row 3' },
            { id: 4, label: 'now' },
            { id: 19, label: 'row 19' },
          ]),
          'looked up',
        );
        assert.deepEqual([...replica.deliveries.values()], [1, 1, 1]);
      });
    },
  },
  {
    name: 'looks records up by a field that is not the key',
    skip: noLookup,
    run: async (fixture) => {
      await fixture.insert([
        { id: 1, label: 'a' },
        { id: 2, label: 'b' },
        { id: 3, label: 'a' },
        { id: 4, label: null },
      ]);
      assert.deepEqual(idsOf(fixture, await lookUp(fixture, [fixture.fields.label], [['a'], ['not there']])), [1, 3]);
    },
  },
  {
    name: 'looks nothing up without values, and thousands at once',
    skip: noLookup,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3000));
      assert.equal(
        (await lookUp(fixture, [fixture.fields.id], [])).reduce((count, batch) => count + batch.records.count, 0),
        0,
      );
      const keys = await keyCells(
        fixture,
        numbered(1, 3000).map(({ id }) => id),
      );
      const batches = await lookUp(
        fixture,
        [fixture.fields.id],
        keys.map((key) => [key]),
      );
      assert.equal(
        batches.reduce((count, batch) => count + batch.records.count, 0),
        3000,
      );
    },
  },
];

async function lookUp(fixture: SourceFixture, fields: readonly string[], values: readonly (readonly Cell[])[]): Promise<Batch[]> {
  return withSource(fixture, async (source) => {
    const found = source.fetchBy?.(fixture.stream, fields, values, NEVER) ?? assert.fail('the source cannot look records up');
    return Array.fromAsync(found);
  });
}

/** The key cells of these ids as the source delivers them. */
async function keyCells(fixture: SourceFixture, ids: readonly number[]): Promise<Cell[]> {
  const wanted = new Set(ids);
  const batches = await drain(fixture, null);
  return batches
    .flatMap((batch) => (batch.stream === null ? [] : changesOf(batch, fixture).map(({ idCell }) => idCell)))
    .filter((cell) => wanted.has(Number(cell)));
}

/** A key cell of the same type for an id that no record has. */
async function missingKey(fixture: SourceFixture, id: number): Promise<Cell> {
  const [present] = await keyCells(fixture, [1]);
  return typeof present === 'bigint' ? BigInt(id) : typeof present === 'number' ? id : String(id);
}
