import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Bench } from '../../bench/loss/bench.ts';
import { compareContents, lostRows } from '../../bench/loss/compare.ts';
import { parseOptions } from '../../bench/loss/options.ts';
import { createSourceTable, insertRows } from '../../bench/loss/source-table.ts';
import { lateCommits } from '../../bench/loss/tests/late-commits.ts';
import { commandTool } from '../../bench/loss/tools/command.ts';
import { cursorLoop } from '../../bench/loss/tools/cursor-loop.ts';
import { trueup } from '../../bench/loss/tools/trueup.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';

const BRIEF = { seconds: 5, writers: 8, pauseMs: 50, seedRows: 200, holdMs: [700, 1800], longShare: 0.25 } as const;

async function openBench(): Promise<Bench> {
  const scratch = await mkdtemp(join(tmpdir(), 'trueup-loss-test-'));
  onTestFinished(() => rm(scratch, { recursive: true, force: true }));
  const lines: string[] = [];
  onTestFinished(({ task }) => void (task.result?.state === 'fail' && process.stderr.write(`${lines.join('\n')}\n`)));
  return {
    scratch,
    toolsDir: scratch,
    seed: 7,
    log: (line) => void lines.push(line),
    createDatabase: async (side) => (await createDatabase(`loss_${side}`)).url,
  };
}

describeWithPostgres('bench: loss', () => {
  it('finds the rows that a plain cursor loop loses to late commits, and none that trueup loses', { timeout: 90_000 }, async () => {
    const [loop, ours] = await lateCommits(await openBench(), [cursorLoop, trueup], BRIEF);
    expect(ours?.failedRuns).toBe(0);
    expect(ours?.parts['all']).toMatchObject({ missing: 0, stale: 0, duplicated: 0, extra: 0, wrong: 0 });
    expect(ours?.parts['all']?.rows).toBeGreaterThan(BRIEF.seedRows);
    // Were nothing lost here, the writers would not have done what they are for.
    expect(loop?.failedRuns).toBe(0);
    expect(loop?.workload?.long, 'no transaction was held open: the machine is too slow for this test').toBeGreaterThan(0);
    const lost = loop?.parts['all'] === undefined ? 0 : lostRows(loop.parts['all']);
    expect(lost, `the cursor loop lost nothing: ${JSON.stringify(loop)}`).toBeGreaterThan(0);
  });

  it('runs any command line, and calls its rows missing when it copies none', async () => {
    const none = commandTool({ name: 'none', template: 'test -n {source} -a -d {dir}', writes: { schema: 'public', name: 'orders' } });
    const [outcome] = await lateCommits(await openBench(), [none], { ...BRIEF, seconds: 0.5, holdMs: [10, 20] });
    expect(outcome?.failedRuns).toBe(0);
    expect(outcome?.parts['all']?.missing).toBe(outcome?.parts['all']?.rows);
  });

  it('tells missing, stale, duplicated, rolled back and wrong rows apart', async () => {
    const source = await createDatabase('loss_source');
    const target = await createDatabase('loss_target');
    const client = await source.connect();
    await createSourceTable(client, 'statement');
    await insertRows(client, 10, `timestamptz '2026-01-01 00:00:00.123456+00'`);
    await client.query('update orders set version = 2');
    await target.query(
      'create table copied (id integer, customer text, amount numeric(38,9), note text, version smallint, updated_at timestamp)',
    );
    const { rows } = await client.query<{ row: string }>('select row_to_json(o)::text as row from orders o');
    await target.query('insert into copied select * from json_populate_recordset(null::copied, $1)', [
      `[${rows.map(({ row }) => row).join(',')}]`,
    ]);
    const compare = () => compareContents(source.url, target.url, { schema: 'public', name: 'copied' });
    const equal = { rows: 10, missing: 0, stale: 0, duplicated: 0, extra: 0, wrong: 0 };
    expect(await compare()).toEqual(equal);
    await target.query(`
      delete from copied where id = 1;
      update copied set version = 1 where id in (2, 3);
      insert into copied select * from copied where id in (4, 5, 6);
      insert into copied select id + 90, customer, amount, note, version, updated_at from copied where id in (7, 8, 9, 10);
      update copied set updated_at = updated_at + interval '1 microsecond' where id = 9;
      update copied set version = 3 where id = 10`);
    expect(await compare()).toEqual({ rows: 10, missing: 1, stale: 2, duplicated: 3, extra: 4, wrong: 2 });
  });

  it('says which option is wrong and what there is', () => {
    expect(() => parseOptions(['--tools', 'dltt'])).toThrow(/unknown 'dltt'. Known: trueup, .*dlt/);
    expect(() => parseOptions(['--kills', '0'])).toThrow(/--kills wants a whole number from 1 on, but got '0'/);
    expect(() => parseOptions(['--command', 'x', '--writes', 'orders'])).toThrow(/--writes wants schema.table, but got 'orders'/);
  });
});
