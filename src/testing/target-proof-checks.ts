import assert from 'node:assert/strict';
import type { Cell, Row } from '../model/cell.ts';
import type { Target, TargetStream } from '../model/contracts.ts';
import type { RowDigests } from '../model/digests.ts';
import { DIGEST_BUCKETS } from '../model/digests.ts';
import { typeText } from '../model/logical-type.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { decodedCell } from '../model/records.ts';
import type { Check } from './check.ts';
import { NEVER } from './expectations.ts';
import { acquire } from './owners.ts';
import type { TargetFixture } from './target-fixture.ts';
import { edgesOf } from './target-value-checks.ts';
import { batchOf, commit, openLane, row, rows, targetStream, withLane, writeAndCommit } from './target-writing.ts';

const lacks =
  (member: 'scan' | 'storedAs' | 'fetchBy' | 'digests' | 'writtenBy', why: string) =>
  (fixture: TargetFixture): string | null => {
    const target = fixture.open();
    void target.close();
    return target[member] === undefined ? why : null;
  };
const noScan = lacks('scan', 'the target cannot be scanned');
const noStoredAs = lacks('storedAs', 'the target holds values as they are');
const noFetchBy = lacks('fetchBy', 'the target cannot be searched');
const noDigests = lacks('digests', 'the target does not hash');
const noWrittenBy = lacks('writtenBy', 'the target does not know who wrote a record');

/** What a comparison of two sides, and an explanation of one record, ask of a target. */
export const targetProofChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'scans and finds nothing where it does not exist yet',
    skip: (fixture) => noScan(fixture) ?? noFetchBy(fixture),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      const target = fixture.open();
      const scanned = await Array.fromAsync(target.scan?.({ stream, fields: ['id'], signal: NEVER }) ?? assert.fail('no scan'));
      const found = await Array.fromAsync(target.fetchBy?.(stream, ['id'], [[1n]], NEVER) ?? assert.fail('no fetchBy'));
      await target.close();
      assert.equal(
        [...scanned, ...found].reduce((count, { records }) => count + records.count, 0),
        0,
      );
    },
  },
  {
    name: 'says of every type how it gives values back that were written',
    skip: (fixture) => noStoredAs(fixture) ?? noFetchBy(fixture),
    run: async (fixture) => {
      for (const type of new Set([...(['int64', 'text'] as const), ...fixture.exactTypes])) {
        const stream = valuesStream(fixture, type);
        const written: Row[] = [null, ...edgesOf(type)].map((cell, index) => [BigInt(index), cell]);
        await withLane(fixture, [stream], async ({ target, lane }) => {
          await writeAndCommit(lane, batchOf(stream, written));
          const fields = (await target.storedAs?.(stream, NEVER)) ?? assert.fail('no storedAs');
          assert.equal(fields.length, 2, 'one entry for each field');
          const expected = written.map((record) => record.map((cell, index) => fields[index]?.convert(cell)));
          const actual = await cellsOf(
            target,
            stream,
            written.map(([id]) => id ?? null),
          );
          assert.deepEqual(actual, expected, `values of ${typeText(type)}`);
        });
      }
    },
  },
  {
    name: 'says that it does not store a field which a policy leaves out',
    skip: (fixture) => noStoredAs(fixture) ?? (fixture.schemaless === true ? 'the target holds any field' : null),
    run: async (fixture) => {
      const first = targetStream(fixture);
      await withLane(fixture, [first], async ({ lane }) => writeAndCommit(lane, batchOf(first, [row(1)])));
      const shape = { ...first.shape, fields: [...first.shape.fields, { name: 'added', type: 'text' as const, nullable: true }] };
      const drift = { ...first.drift, add: 'ignore' as const };
      const stream = targetStream(fixture, { shape, drift, onLoss: shape.fields.map(() => 'error' as const) });
      const target = fixture.open();
      const fields = (await target.storedAs?.(stream, NEVER)) ?? assert.fail('no storedAs');
      await target.close();
      assert.deepEqual(
        fields.map((field) => field !== null),
        [true, true, true, false],
      );
    },
  },
  {
    name: 'hashes equal records equally wherever they are, and sums in each bucket what it lists there',
    skip: noDigests,
    run: async (fixture) => {
      const [left, right] = [targetStream(fixture, { stream: 'left' }), targetStream(fixture, { stream: 'right' })];
      const records = [...rows(1, 2000), row(2001, null, null), row(2002, '', null)];
      await withLane(fixture, [left, right], async ({ target, lane }) => {
        await writeAndCommit(lane, batchOf(left, records));
        await writeAndCommit(lane, batchOf(right, records.toReversed()));
        const [one, other] = [await digestsOf(target, left), await digestsOf(target, right)];
        assert.deepEqual(one.notation, other.notation);
        const hashes = await hashesOf(one);
        assert.equal(hashes.size, records.length, 'records listed, each by its key');
        assert.deepEqual(await hashesOf(other), hashes);
        await assertSums(one, hashes);
        assert.deepEqual(sorted(await sumsOf(other, DIGEST_BUCKETS)), sorted(await sumsOf(one, DIGEST_BUCKETS)));
        const below = DIGEST_BUCKETS / 2;
        assert.deepEqual(
          sorted(await sumsOf(one, below)),
          sorted(await sumsOf(one, DIGEST_BUCKETS)).filter(([bucket]) => bucket < below),
          'buckets below a bound',
        );
      });
    },
  },
  {
    name: 'changes the hash of a record with each of its values: NULL and empty, a space at the end, -0 and 0, a microsecond, the last digit',
    skip: noDigests,
    run: async (fixture) => {
      for (const [type, values] of APART.filter(([candidate]) => isExact(fixture, candidate))) {
        const stream = valuesStream(fixture, type);
        await withLane(fixture, [stream], async ({ target, lane }) => {
          const digests = await digestsOf(target, stream);
          const hashes = new Set<bigint>();
          for (const value of [null, ...values]) {
            await writeAndCommit(lane, batchOf(stream, [[1n, value]]));
            for (const { sum } of (await sumsOf(digests, DIGEST_BUCKETS)).values()) hashes.add(sum);
          }
          assert.equal(hashes.size, values.length + 1, `hashes of ${values.length} different values of ${typeText(type)} and of NULL`);
        });
      }
    },
  },
  {
    name: 'notices two records of one bucket that exchanged a value',
    skip: noDigests,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 4000, 'same')));
        const digests = await digestsOf(target, stream);
        const [bucket, ids] = crowded(await hashesOf(digests));
        const [a = 0, b = 0] = ids;
        const sum = async () => (await sumsOf(digests, DIGEST_BUCKETS)).get(bucket)?.sum;
        await writeAndCommit(lane, batchOf(stream, [row(a, 'one'), row(b, 'two')]));
        const before = await sum();
        await writeAndCommit(lane, batchOf(stream, [row(a, 'two'), row(b, 'one')]));
        assert.notEqual(await sum(), before);
      });
    },
  },
  {
    name: 'names the run and epoch that wrote a record last',
    skip: noWrittenBy,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane, owner, store }) => {
        await writeAndCommit(lane, { ...batchOf(stream, rows(1, 50)), position: { text: 'the first place' } });
        await writeAndCommit(lane, { ...batchOf(stream, rows(51, 60)), position: { text: 'the second place' } });
        const by = (id: number) => target.writtenBy?.(stream, [BigInt(id)], NEVER);
        const first = (await by(7)) ?? assert.fail('unknown, who wrote a record a moment ago');
        assert.deepEqual([first.run, first.epoch, first.position], [owner.run, owner.epoch, 'the first place']);
        assert.ok(Math.abs(Date.parse(first.at) - Date.now()) < 3_600_000, `written at ${first.at}`);
        assert.equal((await by(55))?.position, 'the second place');
        assert.equal(await by(999), null, 'a record that is not there');
        if (store === null) return;
        const next = await acquire(store, owner.job, 'run-2', { isAlive: () => false });
        const other = await openLane(target, next, [stream]);
        await other.bulkUpsert(batchOf(stream, [row(7, 'changed'), row(8)]), NEVER);
        await commit(other);
        await other.close();
        assert.deepEqual([(await by(7))?.run, (await by(7))?.epoch], ['run-2', next.epoch], 'of a record that was written again');
        assert.equal((await by(8))?.run, owner.run, 'of a record that another run found as it was');
      });
    },
  },
];

/** Values that some system takes for equal, or shows as equal. */
const APART: readonly (readonly [LogicalType, readonly Cell[]])[] = [
  ['text', ['', ' ', 'a', 'a ', 'A', 'ä', 'a\u0308', 'null', '\\N']],
  ['int64', [0n, -1n, 1n, 5n, 4_294_967_300n, 9_223_372_036_854_775_807n, 9_223_372_036_854_775_806n]],
  ['int32', [0, -1, 1]],
  ['float64', [0, -0, 0.1, 0.10000000000000002, NaN]],
  ['decimal', ['1.5', '-1.5', '1.6', '0', 'NaN', '12345678901234567890.123456789', '12345678901234567890.123456788']],
  ['bool', [true, false]],
  ['timestamptz', [0n, 1n, -1n, 1_700_000_000_123_456n, 1_700_000_000_123_457n]],
  ['timestamp', ['2026-11-24 10:00:00.000001', '2026-11-24 10:00:00.000002']],
  ['time', ['10:00:00.000001', '10:00:00.000002']],
  ['date', ['2026-11-24', '2026-11-25']],
  ['interval', ['P1M', 'P30D']],
  ['uuid', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12']],
  ['bytes', [new Uint8Array(0), Uint8Array.from([0]), Uint8Array.from([0, 0])]],
  [{ list: 'text' }, [[], [''], ['a', 'b'], ['b', 'a'], [null], ['NULL']]],
];

function isExact(fixture: TargetFixture, type: LogicalType): boolean {
  return ['int64', 'text', ...fixture.exactTypes.map(typeText)].includes(typeText(type));
}

function valuesStream(fixture: TargetFixture, type: LogicalType): TargetStream {
  return targetStream(fixture, {
    stream: `proof_${typeText(type).replaceAll(/\W/g, '_')}`,
    shape: {
      fields: [
        { name: 'id', type: 'int64', nullable: false },
        { name: 'value', type, nullable: true },
      ],
      key: [0],
      open: false,
    },
  });
}

/** The records of these ids, in order of their ids, as carriers. */
async function cellsOf(target: Target, stream: TargetStream, ids: readonly Cell[]): Promise<Row[]> {
  const found: Row[] = [];
  const batches =
    target.fetchBy?.(
      stream,
      ['id'],
      ids.map((id) => [id]),
      NEVER,
    ) ?? assert.fail('no fetchBy');
  for await (const { records, shape } of batches)
    for (const record of records.rows()) found.push(shape.fields.map((_, index) => decodedCell(records, record, index)));
  return found.sort(([a], [b]) => Number((a as bigint) - (b as bigint)));
}

async function digestsOf(target: Target, stream: TargetStream): Promise<RowDigests> {
  const fields = { fields: stream.shape.fields.map(({ name }) => name), keyCount: 1 };
  return (await target.digests?.(stream, fields, NEVER)) ?? assert.fail(`no hashes of ${fields.fields.join(', ')}`);
}

interface Hashed {
  readonly bucket: number;
  readonly hash: bigint;
}

async function hashesOf(digests: RowDigests): Promise<Map<number, Hashed>> {
  const found = new Map<number, Hashed>();
  const all = Array.from({ length: DIGEST_BUCKETS }, (_, bucket) => bucket);
  for await (const listed of digests.rows(all, NEVER))
    for (const { bucket, key, hash } of listed) found.set(Number(key[0]), { bucket, hash });
  return found;
}

interface Sum {
  readonly count: number;
  readonly sum: bigint;
}

async function sumsOf(digests: RowDigests, below: number): Promise<Map<number, Sum>> {
  const found = new Map<number, Sum>();
  for await (const { bucket, count, sum } of digests.buckets(below, NEVER)) {
    assert.ok(bucket >= 0 && bucket < below && !found.has(bucket), `bucket ${bucket}, once and below ${below}`);
    found.set(bucket, { count, sum });
  }
  return found;
}

async function assertSums(digests: RowDigests, hashes: ReadonlyMap<number, Hashed>): Promise<void> {
  const expected = new Map<number, Sum>();
  for (const { bucket, hash } of hashes.values()) {
    const { count, sum } = expected.get(bucket) ?? { count: 0, sum: 0n };
    expected.set(bucket, { count: count + 1, sum: BigInt.asUintN(64, sum + hash) });
  }
  assert.deepEqual(sorted(await sumsOf(digests, DIGEST_BUCKETS)), sorted(expected), 'sums of buckets, from what is listed in them');
}

function sorted<Value>(map: ReadonlyMap<number, Value>): [number, Value][] {
  return [...map].sort(([a], [b]) => a - b);
}

/** A bucket with two records or more, and their ids. */
function crowded(hashes: ReadonlyMap<number, Hashed>): readonly [bucket: number, ids: readonly number[]] {
  const groups = Map.groupBy(hashes, ([, { bucket }]) => bucket);
  const [bucket, members] = [...groups].find(([, group]) => group.length > 1) ?? assert.fail('no two of 4,000 records share a bucket');
  return [bucket, members.map(([id]) => id)];
}
