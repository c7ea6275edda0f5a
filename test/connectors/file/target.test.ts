import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Op, Owner, Row, Target, TargetStream } from '../../../src/sdk.ts';
import { OP, cellRecords } from '../../../src/sdk.ts';
import { NEVER, drainOnce, openFolder, streamRef } from './source-kit.ts';
import type { Folder } from './source-kit.ts';
import { openTarget } from './target-kit.ts';

let folder: Folder;
beforeEach(async () => {
  folder = await openFolder();
});
afterEach(() => folder.remove());

const STREAM: TargetStream = {
  stream: 'orders',
  target: 'orders.jsonl',
  shape: {
    fields: [
      { name: 'id', type: 'int64', nullable: false },
      { name: 'doc', type: 'json', nullable: true },
    ],
    key: [0],
    open: false,
  },
  onDelete: 'delete',
  drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
  onLoss: ['error', 'error'],
};

function batchOf(stream: TargetStream, rows: readonly Row[], ops?: readonly Op[]) {
  const codes = ops === undefined ? null : Uint8Array.from(ops, (op) => OP[op]);
  const records = cellRecords({ rows, bytes: rows.length * 50 });
  return {
    stream: stream.stream,
    shape: stream.shape,
    records,
    ops: codes,
    distinctKeys: true,
    cursor: null,
    position: { text: 'a test' },
  };
}

async function acquired(target: Target, run: string): Promise<Owner> {
  const process = { host: 'here.example', pid: 1, started: run };
  return (target.checkpoints as NonNullable<Target['checkpoints']>).acquire(
    { job: 'j', run, process, ttlMs: 60_000, isAlive: () => false },
    NEVER,
  );
}

async function opened(target: Target, stream: TargetStream, run: string) {
  await target.apply(await target.plan([stream], NEVER), NEVER);
  return target.openLane({ owner: await acquired(target, run), streams: [stream], checkpoints: true }, NEVER);
}

const COMMIT = { checkpoints: [], letters: [], resolved: [] };

async function written(more: Readonly<Record<string, unknown>>, stream: TargetStream, rows: readonly Row[], ops?: readonly Op[]) {
  const target = openTarget(folder.path, more);
  const lane = await opened(target, stream, 'run-1');
  const faults = await lane.bulkUpsert(batchOf(stream, rows, ops), NEVER);
  const result = await lane.commit(COMMIT, NEVER);
  await target.close();
  return { faults, result };
}

const text = (name: string) => readFile(join(folder.path, name), 'utf8');

describe('a file that is written', () => {
  it('has one line a record, whatever line ends a value holds', async () => {
    await written({}, STREAM, [
      [1n, '{\n  "a":\r\n "x\\ny" }'],
      [2n, null],
    ]);
    expect(await text('orders.jsonl')).toBe('{"id":1,"doc":{   "a":  "x\\ny" }}\n{"id":2,"doc":null}\n');
  });

  it('says what was deleted where it has a field for it, and does not pretend to where it has none', async () => {
    const { result } = await written(
      { op: 'op' },
      STREAM,
      [
        [1n, null],
        [2n, undefined],
      ],
      ['upsert', 'delete'],
    );
    expect(await text('orders.jsonl')).toBe('{"op":"upsert","id":1,"doc":null}\n{"op":"delete","id":2}\n');
    expect(result.streams['orders']).toMatchObject({ upserted: 1, deleted: 1 });
    const { faults } = await written({}, { ...STREAM, target: 'b.jsonl' }, [[2n, undefined]], ['delete']);
    expect(faults).toMatchObject([{ index: 0, code: 'E_RECORD_LOSS' }]);
    const ignored = await written({}, { ...STREAM, target: 'b.jsonl', onDelete: 'ignore' }, [[2n, undefined]], ['delete']);
    expect(ignored.result.streams['orders']).toMatchObject({ unchanged: 1 });
    expect(await text('b.jsonl')).toBe('');
  });

  it('takes no json null for NULL, unless that loss is declared, and then counts it', async () => {
    expect((await written({}, STREAM, [[1n, ' null']])).faults).toMatchObject([{ code: 'E_RECORD_LOSS' }]);
    const declared = await written({}, { ...STREAM, onLoss: ['error', 'null'] }, [[1n, 'null']]);
    expect(declared.result.conversions).toEqual([{ stream: 'orders', field: 'doc', kind: 'json-null', count: 1 }]);
  });

  it('is read back as it was written, CSV in zstd too, in frames of one commit each', async () => {
    const stream: TargetStream = {
      ...STREAM,
      target: 'orders.csv.zst',
      shape: { ...STREAM.shape, fields: [STREAM.shape.fields[0] as never, { name: 'x', type: 'text', nullable: true }] },
    };
    const rows: Row[] = [
      [1n, 'a,"b"\n'],
      [2n, ''],
      [3n, null],
      [4n, ' spaced '],
      [5n, '\ufeff'],
    ];
    for (const row of rows) await written({}, stream, [row]);
    const read = await drainOnce(folder.path, streamRef('orders.csv.zst'));
    expect(read.rows).toEqual(rows.map(([id, x]) => ({ id, x })));
  });

  it('is called after the stream, with the ends that the options say', async () => {
    await written({ format: 'csv', compression: 'gzip' }, { ...STREAM, target: String.raw`public.orders\.old` }, [[1n, null]]);
    expect(gunzipSync(await readFile(join(folder.path, 'public.orders.old.csv.gz'))).toString()).toBe('id,doc\n1,\n');
    const target = openTarget(folder.path);
    const [plan] = (await target.plan([{ ...STREAM, target: '../../etc/passwd' }], NEVER)).streams;
    expect(plan?.problems).toMatchObject([{ code: 'E_CONFIG_INVALID' }]);
    await target.close();
  });

  it('is appended to where it was there before', async () => {
    await writeFile(join(folder.path, 'orders.jsonl'), '{"id":0}\n');
    await written({}, STREAM, [[1n, null]]);
    expect(await text('orders.jsonl')).toBe('{"id":0}\n{"id":1,"doc":null}\n');
    await writeFile(join(folder.path, 'half.jsonl'), '{"id":0');
    await expect(written({}, { ...STREAM, target: 'half.jsonl' }, [[1n, null]])).rejects.toMatchObject({ code: 'E_CONFIG_INVALID' });
    expect(await text('half.jsonl')).toBe('{"id":0');
  });
});

describe('what was not committed', () => {
  it('is cut off by the next lane', async () => {
    await written({}, STREAM, [[1n, null]]);
    await appendFile(join(folder.path, 'orders.jsonl'), '{"id":2,"do');
    await written({}, STREAM, [[3n, null]]);
    expect(await text('orders.jsonl')).toBe('{"id":1,"doc":null}\n{"id":3,"doc":null}\n');
  });

  it('is written by nobody who lost the lease', async () => {
    const target = openTarget(folder.path);
    const stale = await opened(target, STREAM, 'run-1');
    await stale.bulkUpsert(batchOf(STREAM, [[1n, null]]), NEVER);
    const other = openTarget(folder.path);
    const successor = await opened(other, STREAM, 'run-2');
    await successor.bulkUpsert(batchOf(STREAM, [[2n, null]]), NEVER);
    await successor.commit(COMMIT, NEVER);
    await expect(stale.commit(COMMIT, NEVER)).rejects.toMatchObject({ code: 'E_FENCED' });
    expect(await text('orders.jsonl')).toBe('{"id":2,"doc":null}\n');
    await target.close();
    await other.close();
  });

  it('waits in a file of its own when it is much, and is gone after a discard', async () => {
    const target = openTarget(folder.path);
    const stream = { ...STREAM, target: 'orders.jsonl.gz' };
    const lane = await opened(target, stream, 'run-1');
    const large = JSON.stringify('x'.repeat(1_000_000));
    for (let round = 0; round < 3; round += 1)
      await lane.bulkUpsert(
        batchOf(
          stream,
          Array.from({ length: 10 }, (_, id): Row => [BigInt(round * 10 + id), large]),
        ),
        NEVER,
      );
    await lane.commit(COMMIT, NEVER);
    await lane.bulkUpsert(
      batchOf(
        stream,
        Array.from({ length: 20 }, (_, id): Row => [BigInt(id), large]),
      ),
      NEVER,
    );
    await lane.discard();
    const { size } = await stat(join(folder.path, 'orders.jsonl.gz'));
    await lane.commit(COMMIT, NEVER);
    expect((await stat(join(folder.path, 'orders.jsonl.gz'))).size).toBe(size);
    const { rows } = await drainOnce(folder.path, streamRef('orders.jsonl.gz'));
    expect(rows.map(({ id }) => Number(id))).toEqual(Array.from({ length: 30 }, (_, id) => id));
    await target.close();
  });
});

it('says that a file was cut, instead of writing behind the hole', async () => {
  await written({}, STREAM, [
    [1n, null],
    [2n, null],
  ]);
  await truncate(join(folder.path, 'orders.jsonl'), 10);
  await expect(written({}, STREAM, [[3n, null]])).rejects.toMatchObject({ code: 'E_TARGET_LOST' });
});
