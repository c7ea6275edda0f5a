import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { options as postgresOptions } from '../../../connectors/postgres/options.ts';
import { openPostgresTarget } from '../../../connectors/postgres/target.ts';
import { OP, cellRecords } from '../../../src/sdk.ts';
import type {
  AcquireRequest,
  Cell,
  Checkpoint,
  ConnectorContext,
  Field,
  Lane,
  Log,
  LogicalType,
  MappedBatch,
  Op,
  Owner,
  OwnerProcess,
  Row,
  Shape,
  Target,
  TargetPlan,
  TargetStream,
} from '../../../src/sdk.ts';

export const never = new AbortController().signal;

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export const context: ConnectorContext = { connection: 'test', log: silent, baseDir: '/' };

export const thisProcess: OwnerProcess = { host: hostname(), pid: process.pid, started: 'now' };

export function openTarget(url: string, given: Readonly<Record<string, unknown>> = {}): Target {
  return openPostgresTarget(postgresOptions.parse({ url, ...given }), context);
}

/** A field, NOT NULL when its type ends with `!`. With `native` as the source of a Postgres column gives it. */
export function field(
  name: string,
  type: LogicalType,
  given: { nullable?: boolean; native?: string; define?: readonly string[] } = {},
): Field {
  const native =
    given.native === undefined
      ? {}
      : { native: { system: 'postgres', type: given.native, ...(given.define === undefined ? {} : { define: given.define }) } };
  return { name, type, nullable: given.nullable ?? true, ...native };
}

export function shapeOf(fields: readonly Field[], key: readonly number[] = [0]): Shape {
  return { fields, key, open: false };
}

export function streamOf(shape: Shape, given: Partial<TargetStream> = {}): TargetStream {
  return {
    stream: 'src',
    target: 'dst',
    shape,
    onDelete: 'delete',
    drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
    onLoss: shape.fields.map(() => 'error' as const),
    ...given,
  };
}

export type Change = readonly [op: Op, ...cells: Cell[]];

export function batchOf(stream: TargetStream, rows: readonly Row[], given: Partial<MappedBatch> = {}): MappedBatch {
  return {
    stream: stream.stream,
    shape: stream.shape,
    records: cellRecords({ rows, bytes: rows.length * 100 }),
    ops: null,
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
    ...given,
  };
}

/** Rows as text of Postgres, as its source hands them over: every string is undecoded. */
export function textBatch(stream: TargetStream, rows: readonly Row[], decode: (text: string) => Cell = (text) => text): MappedBatch {
  const decoders = stream.shape.fields.map(() => decode);
  return { ...batchOf(stream, rows), records: cellRecords({ rows, bytes: rows.length * 100, textDialect: 'postgres', decoders }) };
}

/** Changes of a stream; cells that are left out are absent. */
export function changesOf(stream: TargetStream, changes: readonly Change[]): MappedBatch {
  const width = stream.shape.fields.length;
  const rows = changes.map(([, ...cells]) => Array.from({ length: width }, (_, index) => cells[index]));
  return batchOf(stream, rows, { ops: Uint8Array.from(changes.map(([op]) => OP[op])) });
}

export async function prepare(target: Target, streams: readonly TargetStream[]): Promise<TargetPlan> {
  const plan = await target.plan(streams, never);
  await target.apply(plan, never);
  return plan;
}

export function acquireRequest(given: Partial<AcquireRequest> = {}): AcquireRequest {
  return { job: 'job', run: randomUUID(), process: thisProcess, ttlMs: 30_000, isAlive: () => true, ...given };
}

export function checkpointOf(owner: Owner, given: Partial<Checkpoint> = {}): Checkpoint {
  return {
    job: owner.job,
    feed: { id: 'changes:src', kind: 'changes', streams: ['src'] },
    state: 'open',
    cursor: { at: '2026-11-24 10:00:00.123456+00' },
    cursorVersion: 1,
    sourceIdentity: 'source',
    planHash: 'hash',
    position: { text: 'here' },
    run: owner.run,
    epoch: owner.epoch,
    ...given,
  };
}

export interface Opened {
  readonly owner: Owner;
  readonly lane: Lane;
}

/** A lane that keeps its checkpoints in the target, under a lease of its own. */
export async function openOwnedLane(
  target: Target,
  streams: readonly TargetStream[],
  request: Partial<AcquireRequest> = {},
): Promise<Opened> {
  const owner = await target.checkpoints!.acquire(acquireRequest(request), never);
  return { owner, lane: await target.openLane({ owner, streams, checkpoints: true }, never) };
}

export const nothing = { checkpoints: [], letters: [], resolved: [] };
