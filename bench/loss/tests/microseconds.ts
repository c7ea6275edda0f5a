import { catchUp, openCopy, openSource } from '../bench.ts';
import type { Bench } from '../bench.ts';
import { compareContents } from '../compare.ts';
import type { Outcome } from '../outcome.ts';
import { insertRows } from '../source-table.ts';
import type { Tool } from '../tool.ts';

const SEED_ROWS = 100;
/** The first change; every further one is a microsecond later. The third crosses a millisecond. */
const FIRST_MICRO = 123_998;
const STEPS = 5;

/** Between two runs one row is inserted and one updated, with a stamp one microsecond past the newest that was read. A cursor that is cut or rounded on its way misses them. */
export async function microseconds(bench: Bench, tool: Tool): Promise<Outcome> {
  const { url, client } = await openSource(bench, 'statement');
  const copy = await openCopy(bench, tool, url);
  await insertRows(client, SEED_ROWS, `timestamptz '2026-01-01 00:00:00+00' - n * interval '1 second'`);
  await copy.run();
  for (let step = 0; step < STEPS; step++) {
    const stamp = `timestamptz '2026-01-01 00:00:00.${FIRST_MICRO + step}+00'`;
    await insertRows(client, 1, stamp);
    await client.query(`update orders set version = version + 1, note = 'a microsecond later', updated_at = ${stamp} where id = $1`, [
      step + 1,
    ]);
    await copy.run();
  }
  await catchUp(copy);
  await client.end();
  return {
    runs: copy.runs,
    failedRuns: copy.failed,
    parts: { all: await compareContents(url, copy.place.target, tool.writes) },
  };
}
