import { expect } from 'vitest';
import type { MemoryDatabase } from '../../connectors/memory/index.ts';
import type { Row } from '../../src/model/cell.ts';
import type { CompareEntry } from '../../src/model/job.ts';
import { ITEMS, openMemoryJob } from './memory-job.ts';
import type { MemoryJob, MemoryJobOptions } from './memory-job.ts';

/** What a config that says no more than `compare: {}` means. */
export const COMPARE: CompareEntry = { schedule: null, scope: null, maxShare: 0.05 };

export function put(database: MemoryDatabase, rows: readonly Row[]): void {
  database.write((transaction) => rows.forEach((row) => transaction.upsert('items', row)));
}

export function remove(database: MemoryDatabase, keys: readonly Row[]): void {
  database.write((transaction) => keys.forEach((key) => transaction.delete('items', key)));
}

/** Records whose id and `at` are the numbers `from <= n < to`. */
export const items = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, index) => [from + index, `item ${from + index}`, BigInt(from + index)]);

export const sorted = (rows: readonly Row[]): Row[] => [...rows].sort((a, b) => Number(a[0]) - Number(b[0]));

/** A job by `at`, with deletes by compare, after its first run over `rows` records. */
export async function loaded(options: MemoryJobOptions & { readonly rows?: number } = {}): Promise<MemoryJob> {
  const job = openMemoryJob({ streams: [{ from: 'items', deletes: { when: null, compare: COMPARE } }], ...options });
  job.source.define('items', ITEMS);
  put(job.source, items(0, options.rows ?? 1_000));
  expect(await job.run()).toMatchObject({ exitCode: 0 });
  return job;
}

export function expectSame(job: MemoryJob): void {
  expect(sorted(job.target.rows('items'))).toEqual(sorted(job.source.rows('items')));
}
