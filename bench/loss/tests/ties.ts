import pg from 'pg';
import { catchUp, openCopy, openSource } from '../bench.ts';
import type { Bench } from '../bench.ts';
import { compareContents } from '../compare.ts';
import type { Outcome } from '../outcome.ts';
import { insertRows } from '../source-table.ts';
import type { Tool } from '../tool.ts';

/** More than any tool's page, so that pages of any size end inside of a tie. */
const TIE_ROWS = 15_000;
const LATER_ROWS = 500;
/** A stamp of whole seconds, as columns of that precision have it. */
const SECOND = `date_trunc('second', now())`;

/**
 * Thousands of rows share a stamp. `pages`: all of them were committed before the run. `later`: two transactions of the same second, of which
 * one commits after the other was read; it inserts rows and updates others, all with the very stamp that the tool has reached.
 */
export async function ties(bench: Bench, tool: Tool): Promise<Outcome> {
  const { url, client } = await openSource(bench, 'statement');
  const copy = await openCopy(bench, tool, url);
  for (let tie = 0; tie < 3; tie++) await insertRows(client, TIE_ROWS);
  await copy.run();
  await client.query('begin');
  await insertRows(client, TIE_ROWS / 3);
  await updateRows(client, { from: 1, to: TIE_ROWS }, 'now()');
  await client.query('commit');
  await catchUp(copy);
  const pages = await compareContents(url, copy.place.target, tool.writes);

  const late = new pg.Client({ connectionString: url });
  await late.connect();
  await beginInOneSecond(late, client);
  await insertRows(client, LATER_ROWS, SECOND);
  await client.query('commit');
  await insertRows(late, LATER_ROWS, SECOND);
  await updateRows(late, { from: 1, to: LATER_ROWS }, SECOND);
  await copy.run();
  await late.query('commit');
  await catchUp(copy);
  await late.end();
  await client.end();
  const later = await compareContents(url, copy.place.target, tool.writes);
  return { runs: copy.runs, failedRuns: copy.failed, parts: { pages, later } };
}

async function updateRows(client: pg.Client, { from, to }: { from: number; to: number }, stamp: string): Promise<void> {
  await client.query(`update orders set version = version + 1, note = 'tied', updated_at = ${stamp} where id between $1 and $2`, [
    from,
    to,
  ]);
}

/** Two transactions whose now() is in the same second, the first one's not after the other's. */
async function beginInOneSecond(first: pg.Client, second: pg.Client): Promise<void> {
  for (;;) {
    const stamps: string[] = [];
    for (const client of [first, second]) {
      await client.query('begin');
      const { rows } = await client.query<{ stamp: string }>(`select ${SECOND}::text as stamp`);
      stamps.push(rows[0]?.stamp ?? '');
    }
    if (stamps[0] === stamps[1]) return;
    await Promise.all([first.query('rollback'), second.query('rollback')]);
  }
}
