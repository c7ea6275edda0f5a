import { catchUp, openCopy, openSource } from '../bench.ts';
import type { Bench } from '../bench.ts';
import { compareContents } from '../compare.ts';
import type { Outcome } from '../outcome.ts';
import { insertRows } from '../source-table.ts';
import type { Tool } from '../tool.ts';

const SEED_ROWS = 2000;
const ROWS = 100;

/** Rows come with a stamp that lies an hour back: an application's clock, or a restored backup. No window that is shorter finds them; only what does not trust the stamp does. */
export async function backdated(bench: Bench, tool: Tool): Promise<Outcome> {
  const { url, client } = await openSource(bench, 'statement');
  const copy = await openCopy(bench, tool, url);
  await insertRows(client, SEED_ROWS);
  await copy.run();
  await insertRows(client, SEED_ROWS / 10); // So that the position is at a stamp of today.
  await copy.run();
  const anHourAgo = `now() - interval '1 hour'`;
  await insertRows(client, ROWS, anHourAgo);
  await client.query(`update orders set version = version + 1, note = 'backdated', updated_at = ${anHourAgo} where id <= $1`, [ROWS]);
  await catchUp(copy);
  await client.end();
  return { runs: copy.runs, failedRuns: copy.failed, parts: { all: await compareContents(url, copy.place.target, tool.writes) } };
}
