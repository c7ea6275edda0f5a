import { AssertionError } from 'node:assert';
import { expect } from 'vitest';
import type { Cursor, FetchRequest, Lane, MappedBatch, Source } from '../../src/sdk.ts';
import { OP, cellRecords, isTrueupError } from '../../src/sdk.ts';
import type { Check, OpenFixture } from '../../src/testing/index.ts';

/*
 * A check is worth what it notices: the tests beside this plant one fault at a time in an implementation that passes, and expect the check to fail.
 */

/** The check passes as it is, and fails with the fault. */
export async function expectNotice<Fixture extends { close(): Promise<void> }>(
  checks: readonly Check<Fixture>[],
  name: string,
  open: OpenFixture<Fixture>,
  plant: (fixture: Fixture) => Fixture,
): Promise<void> {
  const check = checks.find((candidate) => candidate.name === name) ?? expect.unreachable(`there is no check '${name}'`);
  const healthy = await open();
  expect(check.skip?.(healthy) ?? null).toBeNull();
  await check.run(healthy);
  await healthy.close();
  const planted = plant(await open());
  await expect(check.run(planted)).rejects.toSatisfy((error) => error instanceof AssertionError || isTrueupError(error));
  await planted.close();
}

type Batch = Parameters<Parameters<typeof mapBatches>[1]>[0];

export function mapBatches(source: Source, map: (batch: MappedBatch) => Omit<MappedBatch, 'stream'> & { stream: string }): Source {
  return {
    ...source,
    async *fetchChanges(asked) {
      for await (const batch of source.fetchChanges(asked)) yield batch.stream === null ? batch : map({ ...batch, stream: batch.stream });
    },
  };
}

export function onRequest(source: Source, change: (asked: FetchRequest) => FetchRequest): Source {
  return { ...source, fetchChanges: (asked) => source.fetchChanges(change(asked)) };
}

export function onFeeds(source: Source, change: (range: Record<string, string[]>) => Record<string, string[]>): Source {
  return {
    ...source,
    splitBackfill: async (...asked) =>
      ((await source.splitBackfill?.(...asked)) ?? []).map((feed) => ({
        ...feed,
        range: change((feed.range ?? {}) as Record<string, string[]>),
      })),
  };
}

export function withRows(rows: readonly (readonly unknown[])[], extra: unknown): ReturnType<typeof cellRecords> {
  const all = [...rows.slice(0, -1), extra] as Parameters<typeof cellRecords>[0]['rows'];
  return cellRecords({ rows: all, bytes: 100 });
}

/** Loses the record with this number, counted over a read. */
export function dropRecord(source: Source, number: number): Source {
  let seen = 0;
  return mapBatches(source, (batch) => keepRecords(batch, () => ++seen !== number));
}

export function keepRecords(batch: Batch, keep: (op: number) => boolean): Batch {
  const kept = batch.records.rows().map((_row, index) => keep(batch.ops?.[index] ?? OP.upsert));
  const rows = batch.records.rows().filter((_row, index) => kept[index]);
  return {
    ...batch,
    records: cellRecords({ rows, bytes: batch.records.bytes }),
    ops: batch.ops?.filter((_op, index) => kept[index]) ?? null,
  };
}

export function isLogCursor(cursor: Cursor): cursor is { readonly log: number } {
  return typeof cursor === 'object' && cursor !== null && 'log' in cursor;
}

/** Resumes after the cursor value, not after the row: the rest of a tie is lost. */
export function skipRestOfTie(source: Source): Source {
  return onRequest(source, (asked) => {
    const after = asked.after as { head: string[] | null } | null;
    return after?.head ? { ...asked, after: { head: [after.head[0] ?? '', '9223372036854775807'], seen: Number.MAX_SAFE_INTEGER } } : asked;
  });
}

/** Resumes as if every row below the head had been seen. */
export function forgetVersion(asked: FetchRequest): FetchRequest {
  return asked.after === null ? asked : { ...asked, after: { ...(asked.after as { head: string[] }), seen: Number.MAX_SAFE_INTEGER } };
}

export function onBatch(lane: Lane, change: (batch: MappedBatch) => MappedBatch): Partial<Lane> {
  return { bulkUpsert: (batch, signal) => lane.bulkUpsert(change(batch), signal) };
}

export function commitAtOnce(lane: Lane): Partial<Lane> {
  return {
    bulkUpsert: async (batch, signal) => {
      const faults = await lane.bulkUpsert(batch, signal);
      await lane.commit({ checkpoints: [], letters: [], resolved: [] }, signal);
      return faults;
    },
  };
}
