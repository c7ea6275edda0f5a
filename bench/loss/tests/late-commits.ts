import { setTimeout as sleep } from 'node:timers/promises';
import { catchUp, openCopy, openSource } from '../bench.ts';
import type { Bench, Copy } from '../bench.ts';
import { compareContents } from '../compare.ts';
import type { Outcome } from '../outcome.ts';
import { insertRows } from '../source-table.ts';
import type { Tool } from '../tool.ts';
import { startWorkload } from '../workload.ts';

export interface LateCommitsOptions {
  readonly seconds: number;
  readonly writers: number;
  readonly holdMs: readonly [number, number];
  readonly longShare: number;
  /** Between the end of a run and the next. */
  readonly pauseMs: number;
  readonly seedRows: number;
}

const LEAST_RUNS = 4;

/**
 * The tools run again and again while the writers write. Then all is quiet, each runs twice more, and the contents are compared.
 * With several tools, all copy the same source at the same time. @returns one outcome per tool, in their order
 */
export async function lateCommits(bench: Bench, tools: readonly Tool[], options: LateCommitsOptions): Promise<Outcome[]> {
  const { url, client } = await openSource(bench, 'trigger');
  await insertRows(client, options.seedRows);
  await client.end();
  const copies = await Promise.all(tools.map((tool) => openCopy(bench, tool, url)));
  for (const copy of copies) await copy.run();
  const { writers, holdMs, longShare } = options;
  const workload = await startWorkload({ url, seed: bench.seed, writers, holdMs, longShare });
  const stop = new AbortController();
  const polling = Promise.all(copies.map((copy) => poll(copy, options.pauseMs, stop.signal)));
  await untilPolled(copies, options.seconds * 1000);
  // The polling goes on until the last transaction has ended: so nothing is spared for the quiet runs that a cron job would have met.
  await workload.stop();
  stop.abort();
  await polling;
  await Promise.all(copies.map(catchUp));
  return Promise.all(
    copies.map(async ({ runs, failed, place, tool }) => ({
      runs,
      failedRuns: failed,
      workload: workload.counts,
      parts: { all: await compareContents(url, place.target, tool.writes) },
    })),
  );
}

/** For the time, and on a slow machine longer: a tool that ran once or twice has met hardly any commit. At most four times as long. */
async function untilPolled(copies: readonly Copy[], forMs: number): Promise<void> {
  const startedAt = performance.now();
  const elapsedMs = () => performance.now() - startedAt;
  const fewRuns = () => copies.some(({ runs }) => runs <= LEAST_RUNS);
  while (elapsedMs() < forMs || (fewRuns() && elapsedMs() < 4 * forMs)) await sleep(100);
}

async function poll(copy: Copy, pauseMs: number, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await copy.run();
    await sleep(pauseMs);
  }
}
