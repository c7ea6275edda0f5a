import { Binary, Decimal128, Double, Int32, Long, ObjectId } from 'mongodb';
import { options } from '../../../connectors/mongodb/options.ts';
import { openMongoTarget } from '../../../connectors/mongodb/target.ts';
import { OP, cellRecords } from '../../../src/sdk.ts';
import type { Cell, LogicalType, MappedBatch, Op, Owner, Row, Target, TargetStream } from '../../../src/sdk.ts';
import type { TargetFixture } from '../../../src/testing/index.ts';
import { createMongoDatabase } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { NEVER, testContext } from './source-kit.ts';

export function openTarget(url: string, more: Readonly<Record<string, unknown>> = {}): Target {
  return openMongoTarget(options.parse({ url, ...more }), testContext());
}

/** What a document holds, read by the driver and turned into carriers here, by other code than the connector's. */
export function carrierOf(type: LogicalType, value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Long) return value.toBigInt();
  if (typeof value === 'bigint') return value;
  if (value instanceof Decimal128) return value.toString();
  if (value instanceof ObjectId) return value.toHexString();
  if (value instanceof Date) return BigInt(value.getTime()) * 1000n;
  if (value instanceof Binary) return value.sub_type === 4 ? value.toUUID().toHexString(true) : new Uint8Array(value.buffer);
  if (Array.isArray(value)) return value.map((item) => carrierOf(typeof type === 'object' && 'list' in type ? type.list : type, item));
  return value as Cell;
}

function typedCarrier(type: LogicalType, value: unknown): Cell {
  if (type !== 'variant' || value === null) return carrierOf(type, value);
  return { variant: typeof value === 'string' ? 'text' : 'int64', value: carrierOf(type, value) };
}

function valueAt(document: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
}

const EXACT: readonly LogicalType[] = [
  ...([
    'bool',
    'int32',
    'float64',
    'bytes',
    'uuid',
    'objectId',
    'date',
    'time',
    'timestamp',
    'interval',
    'json',
    'unknown',
    'variant',
  ] as const),
  { list: 'text' },
  { list: 'int64' },
];

export async function readDocuments(database: TestMongo, stream: TargetStream): Promise<Cell[][]> {
  const found = await database.db.collection(stream.target).find({}, { promoteValues: false, useBigInt64: false }).toArray();
  return found.map((document) => stream.shape.fields.map(({ name, type }) => typedCarrier(type, valueAt(document, name))));
}

/** As a run without `checkpoints: atomic` uses a target: rows first, then the checkpoint. */
export function besideDocuments(target: Target): Target {
  const { checkpoints: store } = target;
  if (store === undefined) return target;
  return {
    ...target,
    checkpoints: { ...store, atomic: false },
    openLane: async (init, signal) => {
      const lane = await target.openLane({ ...init, checkpoints: false }, signal);
      return {
        ...lane,
        commit: async (what, abort) => ({
          ...(await lane.commit(what, abort)),
          lettersResolved: await store.save(init.owner, what, abort),
        }),
      };
    },
  };
}

export async function targetFixture(as: (target: Target) => Target = (target) => target): Promise<TargetFixture> {
  const database = await createMongoDatabase('target');
  return {
    open: () => as(openTarget(database.url, { json: 'text' })),
    targetName: (stream) => stream,
    read: (stream) => readDocuments(database, stream),
    exactTypes: EXACT,
    schemaless: true,
    close: () => database.drop(),
  };
}

/** A stream `orders` of these fields, keyed by the first. */
export function streamOf(
  fields: Readonly<Record<string, LogicalType>>,
  more: Partial<TargetStream> & { readonly key?: readonly number[] } = {},
): TargetStream {
  const { key = [0], ...rest } = more;
  const names = Object.entries(fields);
  return {
    stream: 'orders',
    target: 'orders',
    shape: { fields: names.map(([name, type], index) => ({ name, type, nullable: !key.includes(index) })), key, open: false },
    onDelete: 'delete',
    drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
    onLoss: names.map(() => 'error' as const),
    ...rest,
  };
}

export function owner(run: string, epoch: number): Owner {
  return { job: 'suite', run, epoch, process: { host: 'here.example', pid: 1, started: 'suite' } };
}

export function batch(one: TargetStream, rows: readonly Row[], ops?: readonly Op[]): MappedBatch {
  return {
    stream: one.stream,
    shape: one.shape,
    records: cellRecords({ rows, bytes: rows.length * 100 }),
    ops: ops === undefined ? null : Uint8Array.from(ops, (op) => OP[op]),
    distinctKeys: true,
    cursor: null,
    position: { text: 'a test' },
  };
}

/** Plans, applies, writes one batch in a lane of its own and commits it. */
export async function written(target: Target, one: TargetStream, rows: readonly Row[], ops?: readonly Op[]) {
  await target.apply(await target.plan([one], NEVER), NEVER);
  const lane = await target.openLane({ owner: owner('run-1', 1), streams: [one], checkpoints: false }, NEVER);
  const faults = await lane.bulkUpsert(batch(one, rows, ops), NEVER);
  const { streams, conversions = [] } = await lane.commit({ checkpoints: [], letters: [], resolved: [] }, NEVER);
  await lane.close();
  return { faults, counts: streams[one.stream], conversions };
}
