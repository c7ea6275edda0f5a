import type { Commit, CommitResult, Conversion, Lane, Owner, TargetStream } from 'trueup/sdk';
import type { Sql, SqliteFile } from './file.ts';
import { readBatch } from './lane-read.ts';
import { doStep, streamNamed } from './lane-write.ts';
import type { Counts } from './lane-write.ts';
import { clearStage, openStage, stageSteps, stagedSteps } from './stage.ts';
import { fence, saveChange } from './store.ts';
import { requireTable } from './view.ts';

export interface LaneOptions {
  readonly file: SqliteFile;
  readonly owner: Owner;
  readonly streams: readonly TargetStream[];
  /** Whether the file keeps the job's checkpoints, and fences by them. */
  readonly checkpoints: boolean;
}

/** Batches are looked at and set aside; the commit writes all of them, with the checkpoints, in one transaction. */
export function openLane({ file, owner, streams, checkpoints }: LaneOptions): Lane {
  const connection = file.connect();
  let conversions = new Map<string, Conversion>();
  let isUsed = false;
  const stage = <Result>(signal: AbortSignal, work: (sql: Sql) => Result): Promise<Result> =>
    connection.read(signal, (sql) => {
      openStage(sql);
      isUsed = true;
      return work(sql);
    });
  const forget = async (): Promise<void> => {
    conversions = new Map();
    if (isUsed) await connection.read(new AbortController().signal, clearStage);
  };

  return {
    bulkUpsert: (batch, signal) =>
      stage(signal, (sql) => {
        const stream = streamNamed(streams, batch.stream);
        const { steps, faults, losses } = readBatch(batch, stream, requireTable(sql, stream.target));
        stageSteps(sql, steps);
        for (const [field, kind] of losses) countLoss(conversions, batch.stream, field, kind);
        return faults;
      }),
    commit: async (what, signal): Promise<CommitResult> => {
      await stage(signal, () => {});
      const result = await connection.write(signal, (sql) => writeAll(sql, { owner, streams, checkpoints }, what));
      const done = { ...result, conversions: [...conversions.values()] };
      await forget();
      return done;
    },
    discard: forget,
    close: async () => connection.close(),
  };
}

function writeAll(sql: Sql, { owner, streams, checkpoints }: Omit<LaneOptions, 'file'>, what: Commit): CommitResult {
  if (checkpoints) fence(sql, owner);
  const counts: Record<string, Counts> = {};
  for (const step of stagedSteps(sql)) {
    const of = (counts[step.stream] ??= { upserted: 0, unchanged: 0, deleted: 0, absent: 0, superseded: 0 });
    doStep(sql, streamNamed(streams, step.stream), step, of);
  }
  return { streams: counts, lettersResolved: checkpoints ? saveChange(sql, owner, what) : 0 };
}

function countLoss(conversions: Map<string, Conversion>, stream: string, field: string, kind: string): void {
  const id = JSON.stringify([stream, field, kind]);
  conversions.set(id, { stream, field, kind, count: (conversions.get(id)?.count ?? 0) + 1 });
}
