import type pg from 'pg';
import { openCopy, openSource } from '../bench.ts';
import type { Bench, Copy } from '../bench.ts';
import { addDifferences, compareContents } from '../compare.ts';
import type { Differences } from '../compare.ts';
import { findLeftovers } from '../leftovers.ts';
import type { KillFacts, Outcome } from '../outcome.ts';
import { openRowsRead } from '../rows-read.ts';
import type { RowsRead } from '../rows-read.ts';
import { seededRandom } from '../seeded-random.ts';
import type { Random } from '../seeded-random.ts';
import { insertRows } from '../source-table.ts';
import type { Tool } from '../tool.ts';

export interface KillsOptions {
  readonly rows: number;
  /** Of first loads, and as many of increments. */
  readonly kills: number;
}

/** An increment is every fifth row. */
const FIFTH = 5;
const RERUNS = 3;
/** Where in the time that an undisturbed run takes: not before anything has begun, not after all is done. */
const KILL_FROM = 0.15;
const KILL_UNTIL = 0.95;

interface Killed {
  readonly landed: boolean;
  /** Until it was killed, or had ended. */
  readonly tookMs: number;
  readonly stuck: boolean;
  readonly failedReruns: number;
  readonly readByRerun: number | null;
  readonly differences: Differences;
}

/**
 * kill -9 at random instants of the first load, each into a fresh target, and of increments, one after the other into the same target; then
 * the same command again at once, as a supervisor would start it. Nobody writes meanwhile: what differs then is the kill's.
 */
export async function kills(bench: Bench, tool: Tool, options: KillsOptions): Promise<Outcome> {
  const { url, client } = await openSource(bench, 'trigger');
  await insertRows(client, options.rows);
  const rowsRead = await openRowsRead(url);
  const random = seededRandom(bench.seed);
  const copies: Copy[] = [];
  const open = async () => {
    const copy = await openCopy(bench, tool, url);
    copies.push(copy);
    return copy;
  };
  const undisturbed = await open();
  const first = await undisturbed.run();
  const kill = { random, rowsRead, kills: options.kills };
  const loads = await killOften({ ...kill, tookMs: first.durationMs, next: async () => ({ copy: await open(), needed: options.rows }) });
  const loadLeftovers = await leftoversOf(copies.slice(1));

  await change(client, 0);
  const { durationMs: tookMs } = await undisturbed.run();
  const increments = await killOften({
    ...kill,
    tookMs,
    next: async (n) => ({ needed: await change(client, n), copy: undisturbed }),
  });
  await rowsRead?.close();
  await client.end();
  return {
    runs: copies.reduce((sum, { runs }) => sum + runs, 0),
    failedRuns: copies.reduce((sum, { failed }) => sum + failed, 0),
    parts: {
      'first load': addDifferences(loads.map(({ differences }) => differences)),
      increments: addDifferences(increments.map(({ differences }) => differences)),
    },
    kills: { 'first load': facts(loads, loadLeftovers), increments: facts(increments, await leftoversOf([undisturbed])) },
  };
}

/** Another fifth of the rows each time, spread over the whole table. @returns how many rows that are */
async function change(client: pg.Client, round: number): Promise<number> {
  const { rowCount } = await client.query(
    `update orders set version = version + 1, amount = amount + 1, note = 'changed' where id % ${FIFTH} = $1::int % ${FIFTH}`,
    [round],
  );
  return rowCount ?? 0;
}

interface KillsOfAKind {
  readonly random: Random;
  readonly rowsRead: RowsRead | null;
  /** That have to land: a run that is done before its kill is followed by another. */
  readonly kills: number;
  /** Of the last run of this kind that nothing disturbed. */
  readonly tookMs: number;
  /** Makes the next task, counted from 1: what to run, and how many rows it takes when nothing disturbs it. */
  next(n: number): Promise<{ copy: Copy; needed: number }>;
}

const TRIES = 3;

async function killOften({ random, rowsRead, kills: wanted, tookMs, next }: KillsOfAKind): Promise<Killed[]> {
  const done: Killed[] = [];
  let expectedMs = tookMs;
  for (let n = 1; n <= wanted * TRIES && done.filter(({ landed }) => landed).length < wanted; n++) {
    const killAfterMs = expectedMs * (KILL_FROM + random() * (KILL_UNTIL - KILL_FROM));
    const one = await killOnce({ ...(await next(n)), killAfterMs, rowsRead });
    if (!one.landed) expectedMs = Math.min(expectedMs, one.tookMs);
    done.push(one);
  }
  return done;
}

interface KillOptions {
  readonly copy: Copy;
  readonly needed: number;
  readonly killAfterMs: number;
  readonly rowsRead: RowsRead | null;
}

async function killOnce({ copy, killAfterMs, rowsRead, needed }: KillOptions): Promise<Killed> {
  const { exitCode, durationMs } = await copy.run({ killAfterMs });
  await rowsRead?.reset();
  let failedReruns = 0;
  while (failedReruns < RERUNS && (await copy.run()).exitCode !== 0) failedReruns += 1;
  const read = rowsRead === null ? null : await rowsRead.count();
  return {
    landed: exitCode === null,
    tookMs: durationMs,
    stuck: failedReruns === RERUNS,
    failedReruns,
    readByRerun: read === null ? null : Math.round((read / needed) * 100) / 100,
    differences: await compareContents(copy.place.source, copy.place.target, copy.tool.writes),
  };
}

async function leftoversOf(copies: readonly Copy[]): Promise<KillFacts['leftovers']> {
  const left = { tables: 0, bytes: 0 };
  for (const { place, tool } of copies) {
    const found = await findLeftovers(place.target, tool);
    left.tables += found.tables;
    left.bytes += found.bytes;
  }
  return left;
}

function facts(killed: readonly Killed[], leftovers: KillFacts['leftovers']): KillFacts {
  const landed = killed.filter((one) => one.landed);
  return {
    killed: landed.length,
    readByRerun: landed.flatMap(({ readByRerun }) => (readByRerun === null ? [] : [readByRerun])),
    failedReruns: killed.reduce((sum, one) => sum + one.failedReruns, 0),
    stuck: killed.filter(({ stuck }) => stuck).length,
    leftovers,
  };
}
