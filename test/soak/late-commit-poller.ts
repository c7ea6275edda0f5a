import { setTimeout as sleep } from 'node:timers/promises';
import { postgresSource } from '../../connectors/postgres/source.ts';
import type { ChangeSpec, Cursor } from '../../src/sdk.ts';
import { fetchRequest, rowsOf, streamRef, testServer } from '../connectors/postgres/source-kit.ts';
import type { TestDatabase } from '../servers/postgres.ts';

/** One reader under test, with its copy of a table. */
export interface PollerSpec {
  readonly name: string;
  readonly table: 't' | 's';
  readonly changes: ChangeSpec;
  readonly until: 'drain' | 'follow';
  /** Shows that the comparison notices what a reader without a fence loses. */
  readonly withoutFence?: boolean;
}

export interface PollerResult {
  readonly name: string;
  readonly rows: number;
  readonly missing: number;
  readonly stale: number;
  readonly reads: number;
  readonly runs: number;
  /** Runs that were cut in the middle. */
  readonly cuts: number;
  readonly cursorBytes: number;
}

export interface Poller {
  /** Ends the polling, lets `drain` catch up and compares the copy with the table. */
  finish(): Promise<PollerResult>;
}

/** Polls in runs that each begin from the JSON of the last cursor, as a process of its own would; a third of the runs are cut in the middle. */
export function startPoller(database: TestDatabase, spec: PollerSpec): Poller {
  const copy = new Map<string, number>();
  const stop = new AbortController();
  const tally = { reads: 0, runs: 0, cuts: 0, cursorBytes: 0 };
  let cursor: Cursor | null = null;
  const ref = streamRef(`public.${spec.table}`, { changes: spec.changes });

  const run = async (until: 'drain' | 'follow', cutAfter: number) => {
    tally.runs += 1;
    const end = new AbortController();
    const timer = until === 'follow' ? setTimeout(() => end.abort(new Error('the run is over')), 500 + Math.random() * 2500) : undefined;
    // A shorter wait than in earnest, so that reading ahead of blocked fences is tried as well.
    const server = testServer(database.url, { fence: { maxWait: '2s' } });
    const source = postgresSource({ server, pids: new Set(), ...(spec.withoutFence ? { withoutFence: true } : {}) });
    try {
      let batches = 0;
      for await (const batch of source.fetchChanges(
        fetchRequest(source, ref, {
          after: cursor,
          until,
          batchRows: 20 + Math.floor(Math.random() * 200),
          maxDelayMs: 100,
          signal: end.signal,
        }),
      )) {
        for (const row of rowsOf([batch])) copy.set((row['id'] as bigint).toString(), Number(row['v']));
        tally.reads += batch.records.count;
        if (batch.cursor !== null) cursor = JSON.parse(JSON.stringify(batch.cursor)) as Cursor;
        if (++batches >= cutAfter) break;
      }
      if (batches >= cutAfter) tally.cuts += 1;
    } catch (error) {
      if (!end.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      await source.close();
    }
    tally.cursorBytes = Math.max(tally.cursorBytes, JSON.stringify(cursor).length);
  };
  const polling = (async () => {
    while (!stop.signal.aborted) {
      await run(spec.until, Math.random() < 0.3 ? 1 + Math.floor(Math.random() * 2) : Infinity);
      await sleep(Math.random() * 100);
    }
  })();
  return {
    finish: async () => {
      stop.abort();
      await polling;
      await run('drain', Infinity);
      return { name: spec.name, ...(await compare(database, spec.table, copy)), ...tally };
    },
  };
}

async function compare(
  database: TestDatabase,
  table: string,
  copy: ReadonlyMap<string, number>,
): Promise<Pick<PollerResult, 'rows' | 'missing' | 'stale'>> {
  const rows = await database.query<{ id: string; v: number }>(`select id::text, v from ${table}`);
  const missing = rows.filter(({ id }) => !copy.has(id)).length;
  const stale = rows.filter(({ id, v }) => copy.has(id) && copy.get(id) !== v).length;
  return { rows: rows.length, missing, stale };
}

export const POLLERS: readonly PollerSpec[] = [
  { name: 'cursor, drain', table: 't', changes: { by: 'cursor', field: 'updated_at' }, until: 'drain' },
  { name: 'cursor, follow', table: 't', changes: { by: 'cursor', field: 'updated_at' }, until: 'follow' },
  { name: 'sequence, drain', table: 's', changes: { by: 'sequence', field: 'id' }, until: 'drain' },
  { name: 'sequence, follow', table: 's', changes: { by: 'sequence', field: 'id' }, until: 'follow' },
  { name: 'xmin, drain', table: 't', changes: { by: 'xmin' }, until: 'drain' },
];

export const FENCELESS: readonly PollerSpec[] = [
  { name: 'cursor, drain, no fence', table: 't', changes: { by: 'cursor', field: 'updated_at' }, until: 'drain', withoutFence: true },
  { name: 'cursor, follow, no fence', table: 't', changes: { by: 'cursor', field: 'updated_at' }, until: 'follow', withoutFence: true },
];

/** What a reader with a fence must be, in words when it is not. */
export function losses(results: readonly PollerResult[]): string[] {
  return results
    .filter(({ missing, stale }) => missing + stale > 0)
    .map(({ name, missing, stale, rows }) => `${name}: ${missing} missing, ${stale} stale of ${rows}`);
}
