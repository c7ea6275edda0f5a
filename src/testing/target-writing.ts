import assert from 'node:assert/strict';
import type { Cell, Row } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Op } from '../model/change.ts';
import type { CheckpointStore, Owner } from '../model/checkpoint.ts';
import type { Commit, CommitResult, Lane, MappedBatch, Target, TargetStream, WriteCounts } from '../model/contracts.ts';
import { cellRecords } from '../model/records.ts';
import type { CellRecordsInit } from '../model/records.ts';
import type { Shape } from '../model/shape.ts';
import { NEVER } from './expectations.ts';
import { HERE, acquire } from './owners.ts';
import type { TargetFixture } from './target-fixture.ts';

/** The records that most checks write: an id, a text and a number. Only `id` is NOT NULL. */
export const SHAPE: Shape = {
  fields: [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'label', type: 'text', nullable: true },
    { name: 'version', type: 'int64', nullable: true },
  ],
  key: [0],
  open: false,
};

export function targetStream(fixture: TargetFixture, change: Partial<TargetStream> = {}): TargetStream {
  const stream = change.stream ?? 'orders';
  const shape = change.shape ?? SHAPE;
  return {
    stream,
    target: fixture.targetName(stream, shape),
    shape,
    onDelete: 'delete',
    drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
    onLoss: shape.fields.map(() => 'error' as const),
    ...change,
  };
}

/** Row `id` with a label and a version. */
export function row(id: number, label: string | null = `row ${id}`, version: number | null = 1): Row {
  return [BigInt(id), label, version === null ? null : BigInt(version)];
}

export function rows(from: number, to: number, label?: string): Row[] {
  return Array.from({ length: to - from + 1 }, (_, index) => row(from + index, label));
}

/** A row of which only the key is set. */
export function keyOnly(id: number): Row {
  return [BigInt(id), undefined, undefined];
}

export function batchOf(
  stream: TargetStream,
  records: readonly Row[],
  change: { readonly ops?: readonly Op[]; readonly init?: Partial<CellRecordsInit>; readonly shape?: Shape } = {},
): MappedBatch {
  const ops = change.ops === undefined ? null : Uint8Array.from(change.ops, (op) => OP[op]);
  const bytes = records.length * 100;
  return {
    stream: stream.stream,
    shape: change.shape ?? stream.shape,
    records: cellRecords({ rows: records, bytes, ...change.init }),
    ops,
    distinctKeys: true,
    cursor: null,
    position: { text: 'suite' },
  };
}

/** A target whose streams are planned and applied, a lane on them, and who owns it. */
export interface Writing {
  readonly target: Target;
  readonly lane: Lane;
  readonly owner: Owner;
  /** The target's own. `null`: checkpoints are kept elsewhere. */
  readonly store: CheckpointStore | null;
}

/** Runs `work` with an open lane, and closes lane and target whatever happens. */
export async function withLane<Result>(
  fixture: TargetFixture,
  streams: readonly TargetStream[],
  work: (writing: Writing) => Promise<Result>,
): Promise<Result> {
  const target = fixture.open();
  try {
    await applyPlan(target, streams);
    const store = target.checkpoints ?? null;
    const owner =
      store === null
        ? { job: 'suite', run: 'run-1', epoch: 1, process: HERE }
        : await acquire(store, 'suite', 'run-1', { isAlive: () => false });
    const lane = await openLane(target, owner, streams);
    try {
      return await work({ target, lane, owner, store });
    } finally {
      await lane.close();
    }
  } finally {
    await target.close();
  }
}

export function openLane(target: Target, owner: Owner, streams: readonly TargetStream[]): Promise<Lane> {
  return target.openLane({ owner, streams, checkpoints: target.checkpoints !== undefined }, NEVER);
}

/** Plans and applies, and checks that nothing stands against it. */
export async function applyPlan(target: Target, streams: readonly TargetStream[]): Promise<void> {
  const plan = await target.plan(streams, NEVER);
  assert.deepEqual(
    plan.streams.flatMap(({ problems }) => problems.filter(({ severity }) => severity === 'error')),
    [],
  );
  await target.apply(plan, NEVER);
}

/** Writes, and expects no record fault. */
export async function write(lane: Lane, ...batches: readonly MappedBatch[]): Promise<void> {
  for (const batch of batches) assert.deepEqual(await lane.bulkUpsert(batch, NEVER), [], 'record faults');
}

export function commit(lane: Lane, what: Partial<Commit> = {}): Promise<CommitResult> {
  return lane.commit({ checkpoints: [], letters: [], resolved: [], ...what }, NEVER);
}

/** Writes and commits; the counts of the stream. */
export async function writeAndCommit(lane: Lane, ...batches: readonly MappedBatch[]): Promise<WriteCounts> {
  await write(lane, ...batches);
  const { streams } = await commit(lane);
  return streams[batches[0]?.stream ?? ''] ?? assert.fail(`no counts of '${batches[0]?.stream}' in ${JSON.stringify(streams)}`);
}

export const NO_COUNTS: WriteCounts = { upserted: 0, unchanged: 0, deleted: 0, absent: 0, superseded: 0 };

/** A target that lines are appended to (`writes: 'log'`). What it holds is what the last line of each key says. */
export function isLog(fixture: TargetFixture): boolean {
  const target = fixture.open();
  void target.close();
  return target.writes === 'log';
}

/** It holds nothing to compare a version with, or cannot ask its system to compare. */
export function refusesGuard(fixture: TargetFixture): boolean {
  return isLog(fixture) || (fixture.refuses ?? []).includes('guard');
}

/** A target that lines are not appended to may still write without reading. */
export function countsUnchanged(fixture: TargetFixture): boolean {
  return !isLog(fixture) && fixture.countsUnchanged !== false;
}

/**
 * The counts that a target can tell: a log holds nothing to compare with, so it writes what would be unchanged or superseded, and deletes what is absent. Another one that does
 * not read before it writes knows what became of a delete, but not of an upsert.
 */
export function told(fixture: TargetFixture, { upserted, unchanged, deleted, absent, superseded }: WriteCounts): WriteCounts {
  if (countsUnchanged(fixture)) return { upserted, unchanged, deleted, absent, superseded };
  if (!isLog(fixture)) return { upserted: upserted + unchanged, unchanged: 0, deleted, absent, superseded };
  return { ...NO_COUNTS, upserted: upserted + unchanged + superseded, deleted: deleted + absent };
}

/** Compares what the target holds, whatever its order. */
export async function assertHolds(fixture: TargetFixture, stream: TargetStream, expected: readonly Row[], what: string): Promise<void> {
  const actual = await fixture.read(stream);
  assert.deepEqual(sorted(actual), sorted(expected), what);
}

function sorted(records: readonly Row[]): Row[] {
  return [...records].map((record) => [...record]).sort((a, b) => (sortText(a) < sortText(b) ? -1 : 1));
}

/** By the first cell, numbers by their size. */
function sortText([first]: Row): string {
  return typeof first === 'bigint' ? first.toString().padStart(24, '0') : String(first as Exclude<Cell, object>);
}
