import { describe, expect, it, onTestFinished } from 'vitest';
import { options } from '../../../connectors/rest/options.ts';
import { openRestTarget } from '../../../connectors/rest/target.ts';
import { OP, cellRecords } from '../../../src/sdk.ts';
import type { Cell, Lane, MappedBatch, Shape, Target, TargetStream } from '../../../src/sdk.ts';
import { send, startApi } from './api-server.ts';
import type { ApiServer } from './api-server.ts';
import { NEVER, rowsOf, testContext } from './rest-kit.ts';

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'label', type: 'text', nullable: true },
    { name: 'total', type: 'decimal', nullable: true },
    { name: 'at', type: 'timestamptz', nullable: true },
  ],
  key: [0],
  open: false,
};
const STREAM: TargetStream = {
  stream: 'public.orders',
  target: 'orders',
  shape: SHAPE,
  onDelete: 'delete',
  drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
  onLoss: SHAPE.fields.map(() => 'error'),
};
const ORDERS = {
  path: '/orders',
  records: 'data',
  key: ['id'],
  pages: { by: 'page', param: 'page' },
  get: { path: '/orders/{id}' },
  upsert: { path: '/orders/{id}' },
  delete: { path: '/orders/{id}' },
};

describe('a target behind an API', () => {
  it('is written, deleted from, and read back as it was written, every digit kept', async () => {
    const { api, target, lane } = await setUp(ORDERS);
    const rows = [row(1n, 'one', '1.50'), row(2n, null, '12345678901234567890.10'), row(9007199254740993n, 'ünï/"', null)];
    expect(await lane.bulkUpsert(batch(rows), NEVER)).toEqual([]);
    expect(await counts(lane)).toMatchObject({ upserted: 3 });
    expect(api.asked.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
      'PUT /orders/1',
      'PUT /orders/2',
      'PUT /orders/9007199254740993',
    ]);
    expect(api.asked[1]?.body).toBe('{"id":2,"label":null,"total":12345678901234567890.10,"at":"2026-01-01T00:00:00.123456Z"}');

    expect(await lane.bulkUpsert(batch([key(1n), key(77n)], [OP.delete, OP.delete]), NEVER)).toEqual([]);
    expect(await counts(lane)).toMatchObject({ deleted: 1, absent: 1 });
    expect([...(api.collections.get('orders')?.keys() ?? [])]).toEqual(['2', '9007199254740993']);

    api.collections.set('orders', new Map([['5', { id: 5, label: 'five', total: 1.5, at: '2026-01-01T00:00:00.123456Z' }]]));
    const scanned = await Array.fromAsync(target.scan?.({ stream: STREAM, fields: ['id', 'total', 'at'], signal: NEVER }) ?? []);
    expect(rowsOf(scanned)).toEqual([{ id: 5n, total: '1.5', at: 1_767_225_600_123_456n }]);
    const found = await Array.fromAsync(target.fetchBy?.(STREAM, ['id'], [[5n], [6n]], NEVER) ?? []);
    expect(rowsOf(found).map(({ id, label }) => [id, label])).toEqual([[5n, 'five']]);
  });

  it('hands back the records that it does not take, without their key in the message', async () => {
    const { api, lane } = await setUp(ORDERS);
    refuse(api, (body) => body.includes('bad'), 422);
    const faults = await lane.bulkUpsert(batch([row(1n, 'fine'), row(2n, 'bad'), row(3n, 'fine'), row(4n, 'bad')]), NEVER);
    expect(faults.map(({ index, code }) => [index, code])).toEqual([
      [1, 'E_RECORD_VALUE'],
      [3, 'E_RECORD_VALUE'],
    ]);
    expect(faults[0]?.message).toBe(`PUT ${api.url}/orders/…: the server answers 422 and does not take the record`);
    expect(await counts(lane)).toMatchObject({ upserted: 2 });
  });

  it.each([
    ['letter', 409, 'E_RECORD_VALUE', 0],
    ['superseded', 412, null, 1],
  ])('takes a conflict as %s', async (conflict, status, code, superseded) => {
    const { api, lane } = await setUp({ ...ORDERS, upsert: { ...ORDERS.upsert, conflict } });
    refuse(api, () => true, status);
    const faults = await lane.bulkUpsert(batch([row(1n, 'x')]), NEVER);
    expect(faults.map((fault) => fault.code)).toEqual(code === null ? [] : [code]);
    expect((await counts(lane))?.superseded ?? 0).toBe(superseded);
  });

  it('takes a conflict that is to be tried again, refused credentials and a wrong path as no fault of a record', async () => {
    const failure = async (status: number, more: object = {}): Promise<unknown> => {
      const { api, lane } = await setUp({ ...ORDERS, upsert: { ...ORDERS.upsert, ...more } });
      refuse(api, () => true, status);
      return lane.bulkUpsert(batch([row(1n, 'x')]), NEVER).catch((error: unknown) => error);
    };
    expect(await failure(409, { conflict: 'retry' })).toMatchObject({ code: 'E_BUSY' });
    expect(await failure(401)).toMatchObject({ code: 'E_ACCESS' });
    expect(await failure(404)).toMatchObject({ code: 'E_STREAM_UNKNOWN' });
  });

  it('sends POST with a key that the same content has again, and other content has not', async () => {
    const { api, lane } = await setUp({ ...ORDERS, upsert: { method: 'POST', path: '/orders/{id}', body: 'order' } });
    for (const label of ['a', 'a', 'b']) await lane.bulkUpsert(batch([row(1n, label)]), NEVER);
    const keys = api.asked.map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
    expect([keys[0] === keys[1], keys[0] === keys[2]]).toEqual([true, false]);
    expect(api.asked[0]?.body).toMatch(/^\{"order":\{"id":1,/);
  });

  it('sends several records in one request, and fails it as a whole where one is bad', async () => {
    const { api, lane } = await setUp({
      ...ORDERS,
      upsert: { method: 'POST', path: '/orders-bulk/all', batch: { size: 2, path: 'items' } },
    });
    refuse(api, (body) => body.includes('bad'), 400);
    expect(await lane.bulkUpsert(batch([row(1n, 'a'), row(2n, 'b'), row(3n, 'c')]), NEVER)).toEqual([]);
    expect(api.asked.map(({ body }) => (JSON.parse(body) as { items: unknown[] }).items.length)).toEqual([2, 1]);
    await expect(lane.bulkUpsert(batch([row(4n, 'bad'), row(5n, 'e')]), NEVER)).rejects.toMatchObject({ code: 'E_RECORD_VALUE' });
    expect(await lane.bulkUpsert(batch([row(4n, 'bad')]), NEVER)).toMatchObject([{ index: 0, code: 'E_RECORD_VALUE' }]);
  });

  it('writes the batches of a key one after another', async () => {
    const { api, lane } = await setUp(ORDERS);
    for (let round = 0; round < 5; round++) await lane.bulkUpsert(batch([row(1n, `round ${round}`), row(2n, `round ${round}`)]), NEVER);
    expect([...(api.collections.get('orders')?.values() ?? [])].map(({ label }) => label)).toEqual(['round 4', 'round 4']);
  });

  it('sends nothing of a batch with an op that it does not take', async () => {
    const { api, lane } = await setUp(ORDERS);
    for (const op of [OP.patch, OP.truncate])
      await expect(lane.bulkUpsert(batch([row(1n, 'a'), key(2n)], [OP.upsert, op]), NEVER)).rejects.toMatchObject({ code: 'E_BUG' });
    expect(api.asked).toEqual([]);
  });

  it('fills in names of fields with spaces and slashes', async () => {
    const name = 'Order / Id';
    const { api, target, lane } = await setUp({ ...ORDERS, upsert: { path: `/orders/{${name}}` } });
    const shape = { ...SHAPE, fields: SHAPE.fields.map((field, index) => (index === 0 ? { ...field, name } : field)) };
    expect(
      (await target.plan([{ ...STREAM, shape, onDelete: 'ignore' }], NEVER)).streams[0]?.problems.map(({ message }) => message),
    ).toEqual(["the path of `delete` of 'orders' needs id, which the key does not have"]);
    await lane.bulkUpsert({ ...batch([row(1n, 'a'), row(2n, 'b')]), shape }, NEVER);
    expect(api.asked.map(({ url }) => url.pathname)).toEqual(['/orders/1', '/orders/2']);
  });

  it('says in its plan what cannot be', async () => {
    const planned = async (orders: object, more: Partial<TargetStream> = {}): Promise<unknown> => {
      const { target } = await setUp(orders);
      return (await target.plan([{ ...STREAM, ...more }], NEVER)).streams[0]?.problems.map(({ code, severity }) => `${severity} ${code}`);
    };
    expect(await planned(ORDERS)).toEqual([]);
    expect(await planned(ORDERS, { target: 'others' })).toEqual(['error E_STREAM_UNKNOWN']);
    expect(await planned({ ...ORDERS, upsert: { path: '/orders/{nr}' } })).toEqual(['error E_STREAM_UNKNOWN']);
    expect(await planned({ ...ORDERS, upsert: { path: '/orders/{id}', batch: { size: 2 } } })).toEqual(['error E_CONFIG_INVALID']);
    expect(await planned({ ...ORDERS, delete: { path: '/orders/{label}' } })).toEqual(['error E_STREAM_KEY']);
    expect(await planned({ ...ORDERS, delete: undefined })).toEqual(['warning E_CHANGES_LIMITED']);
    expect(await planned({ ...ORDERS, delete: undefined }, { shape: { ...SHAPE, key: [] } })).toEqual(['error E_STREAM_KEY']);
    expect(await planned(ORDERS, { guard: 'at' })).toEqual(['error E_CONFIG_INVALID']);
    expect(await planned(ORDERS, { onDelete: { mark: 'gone' } })).toEqual(['error E_CONFIG_INVALID']);
  });
});

async function setUp(orders: object): Promise<{ api: ApiServer; target: Target; lane: Lane }> {
  const api = await startApi();
  const target = openRestTarget(options.parse({ url: api.url, streams: { orders } }), testContext());
  onTestFinished(async () => {
    await target.close();
    await api.close();
  });
  const owner = { job: 'orders', run: 'r1', epoch: 1, process: { host: 'h', pid: 1, started: '' } };
  return { api, target, lane: await target.openLane({ owner, streams: [STREAM], checkpoints: false }, NEVER) };
}

function refuse(api: ApiServer, matches: (body: string) => boolean, status: number): void {
  api.twists.push(({ body }, response) => {
    if (!matches(body)) return false;
    send(response, status, {});
    return true;
  });
}

async function counts(lane: Lane) {
  return (await lane.commit({ checkpoints: [], letters: [], resolved: [] }, NEVER)).streams['public.orders'];
}

function row(id: bigint, label: string | null, total: string | null = null): Cell[] {
  return [id, label, total, 1_767_225_600_123_456n];
}

function key(id: bigint): Cell[] {
  return [id, undefined, undefined, undefined];
}

function batch(rows: readonly Cell[][], ops: readonly number[] | null = null): MappedBatch {
  return {
    stream: 'public.orders',
    shape: SHAPE,
    records: cellRecords({ rows, bytes: 100 }),
    ops: ops === null ? null : Uint8Array.from(ops),
    distinctKeys: true,
    cursor: null,
    position: { text: 'test' },
  };
}
