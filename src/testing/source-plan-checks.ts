import assert from 'node:assert/strict';
import { fieldIndex, sameShape } from '../model/shape.ts';
import type { Check } from './check.ts';
import { NEVER, throughJson } from './expectations.ts';
import type { SourceFixture } from './source-fixture.ts';
import { drain, numbered, withSource } from './source-reading.ts';

export const planChecks: readonly Check<SourceFixture>[] = [
  {
    name: 'names its data the same each time it is opened',
    run: async (fixture) => {
      const first = await withSource(fixture, (source) => source.identity(NEVER));
      const second = await withSource(fixture, (source) => source.identity(NEVER));
      assert.equal(first, second);
      assert.ok(first.length > 0, 'an identity that is empty');
    },
  },
  {
    name: 'discovers the stream, its fields and the change method',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3)); // where nothing but records tells of fields
      const { name, query, changes } = fixture.stream;
      const found = await withSource(fixture, (source) => source.discover(NEVER, query === undefined ? [] : [{ name, query }]));
      const info =
        found.find((candidate) => candidate.name === name) ??
        assert.fail(`'${name}' is not among: ${found.map((candidate) => candidate.name).join(', ')}`);
      assert.ok(
        fieldIndex(info.shape, fixture.fields.id) >= 0 && fieldIndex(info.shape, fixture.fields.label) >= 0,
        `fields: ${info.shape.fields.map((field) => field.name).join(', ')}`,
      );
      const offer =
        info.changes.find(({ by }) => by === changes.by) ??
        assert.fail(`'${changes.by}' is not among: ${info.changes.map(({ by }) => by).join(', ')}`);
      assert.ok(
        changes.field === undefined || offer.fields?.includes(changes.field),
        `'${changes.field}' is not among: ${offer.fields?.join(', ')}`,
      );
    },
  },
  {
    name: 'plans the stream without an error, in the shape that it delivers',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3));
      const plan = await withSource(fixture, (source) => source.plan([fixture.stream], NEVER));
      const [stream] = plan.streams;
      assert.ok(stream !== undefined && plan.streams.length === 1 && stream.stream === fixture.stream.name, 'one plan for the one stream');
      assert.deepEqual(
        stream.problems.filter((problem) => problem.severity === 'error'),
        [],
      );
      assert.ok(stream.forms.includes('cells'), 'cells, which every source must be able to deliver');
      assert.deepEqual(
        stream.shape.key.map((index) => stream.shape.fields[index]?.name),
        fixture.stream.key,
      );
      const batches = (await drain(fixture, null)).filter((batch) => batch.stream !== null);
      assert.ok(batches.length > 0, 'a drain without batches');
      for (const batch of batches)
        assert.ok(
          sameShape(batch.shape, stream.shape),
          `planned ${JSON.stringify(stream.shape)}, delivered ${JSON.stringify(batch.shape)}`,
        );
    },
  },
  {
    name: 'reports a stream that does not exist as a problem of the plan',
    run: async (fixture) => {
      const { query: _none, ...stream } = fixture.stream;
      const plan = await withSource(fixture, (source) =>
        source.plan([{ ...stream, name: `${fixture.stream.name}_that_is_not_there` }], NEVER),
      );
      const errors = plan.streams.flatMap(({ problems }) => problems).filter(({ severity }) => severity === 'error');
      assert.deepEqual(
        errors.map(({ code }) => code),
        ['E_STREAM_UNKNOWN'],
      );
    },
  },
  {
    name: 'puts each stream into exactly one changes feed, the same each time',
    run: async (fixture) => {
      const feeds = await withSource(fixture, async (source) => source.feeds([fixture.stream]));
      assert.deepEqual(
        feeds.map(({ kind, streams }) => ({ kind, streams })),
        [{ kind: 'changes', streams: [fixture.stream.name] }],
      );
      assert.deepEqual(throughJson(feeds), feeds, 'a feed as it is stored');
      assert.deepEqual(await withSource(fixture, async (source) => source.feeds([fixture.stream])), feeds);
    },
  },
  {
    name: 'keeps one shape object for a read in which no field changed',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 20));
      const batches = (await drain(fixture, null, { batchRows: 3 })).filter((batch) => batch.stream !== null);
      assert.equal(new Set(batches.map((batch) => batch.shape)).size, 1, 'shape objects');
    },
  },
  {
    name: 'reads only the fields it is asked for, beside the key',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3));
      const stream = { ...fixture.stream, fields: [fixture.fields.id, fixture.fields.label], except: [] };
      const batches = (await drain(fixture, null, { streams: [stream] })).filter((batch) => batch.stream !== null);
      const names = new Set(batches.flatMap((batch) => batch.shape.fields.map((field) => field.name)));
      assert.deepEqual([...names].sort(), [...stream.fields].sort());
    },
  },
];
