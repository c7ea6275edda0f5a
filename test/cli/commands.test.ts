import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { displayWidth } from '../../src/cli/text/width.ts';
import { openScenario, ORDERS_JOB } from '../end-to-end/scenario.ts';
import type { Scenario } from '../end-to-end/scenario.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';
import { hasTerminals, runOnTerminal } from './terminal.ts';

const TABLE = `create table orders (id bigint primary key, note text, total numeric(10,2) not null, updated_at timestamptz not null default now());
  create index on orders (updated_at, id)`;

async function shop(rows = 100): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source.query(TABLE);
  await scenario.source.query(
    `insert into orders select i, 'note ' || i, i / 100.0, '2024-01-01'::timestamptz + i * interval '1 second' from generate_series(1, $1::int) i`,
    [rows],
  );
  await scenario.jobs(ORDERS_JOB);
  return scenario;
}

const document = async (scenario: Scenario, ...args: string[]) => {
  const { stdout, code } = await scenario.trueup(...args, '--json');
  return { code, document: JSON.parse(stdout) as Record<string, unknown> };
};

/** Every check starts several processes, which take their time on a machine that is busy. */
const PATIENCE = { timeout: 180_000 };

describeWithPostgres('cli: commands on real servers', PATIENCE, () => {
  it('print one JSON document each, which names the command and the exit code', async () => {
    const scenario = await shop();
    const runs: [string[], Record<string, unknown>][] = [
      [['validate'], { valid: true, jobs: ['orders'], diagnostics: [] }],
      [['discover', 'shop'], { connection: 'shop', streams: [expect.objectContaining({ name: 'public.orders', key: ['id'] })] }],
      [['plan', '--sample', '2'], { applied: false, jobs: [expect.objectContaining({ job: 'orders' })] }],
      [['run'], { status: 'succeeded', jobs: [expect.objectContaining({ job: 'orders', checkpoints: 'atomic' })] }],
      [['status'], { jobs: [expect.objectContaining({ job: 'orders', deadLetters: 0 })] }],
      [
        ['checkpoint', 'list', 'orders'],
        { job: 'orders', checkpoints: [expect.objectContaining({ feed: 'changes:public.orders', state: 'open' })] },
      ],
      [['checkpoint', 'show', 'orders', 'changes:public.orders'], { checkpoints: [expect.objectContaining({ job: 'orders' })] }],
      [['checkpoint', 'rewind', 'orders'], { changed: [expect.objectContaining({ feed: 'changes:public.orders' })] }],
      [['backfill', 'orders', '--from', '10', '--to', '20'], { status: 'succeeded' }],
      [['dead-letters', 'list'], { letters: [] }],
      [['dead-letters', 'drop', 'orders', '--all'], { dropped: 0 }],
      [['checkpoint', 'drop', 'orders'], { changed: [expect.objectContaining({ feed: 'changes:public.orders' })] }],
      [['connectors'], { connectors: expect.arrayContaining([expect.objectContaining({ name: 'postgres' })]) as unknown }],
    ];
    for (const [args, expected] of runs) {
      const told = await document(scenario, ...args);
      const command = ['checkpoint', 'dead-letters'].includes(args[0] ?? '') ? args.slice(0, 2).join(' ') : args[0];
      expect({ args, ...told }).toMatchObject({ args, code: 0, document: { command, exitCode: 0, ...expected } });
    }
  });

  it('tell people the same in tables', async () => {
    const scenario = await shop();
    expect((await scenario.trueup('plan')).stdout).toContain('next: trueup plan --apply runs the statements');
    expect((await scenario.trueup('run')).stdout).toMatch(
      /public\.orders → public\.orders|public\.orders +succeeded +backfill, changes +100 +100 +0 +0/,
    );
    expect((await scenario.trueup('status', 'orders')).stdout).toMatch(/^ {2}changes:public\.orders +open +2024-01-01T/m);
    expect((await scenario.trueup('discover', 'shop', '--fields')).stdout).toMatch(/total +decimal +numeric\(10,2\) +not null/);
    expect((await scenario.trueup('checkpoint', 'show', 'orders')).stdout).toMatch(/^ {2}cursor +\{/m);
  });

  it('refuse an unknown job, connection, feed and letter with what there is', async () => {
    const scenario = await shop();
    await scenario.trueup('run');
    const cases: [string[], RegExp][] = [
      [['run', 'ordrs'], /unknown job 'ordrs'\. Known: orders\. Did you mean 'orders'\?/],
      [['discover', 'shp'], /unknown connection 'shp'\. Known: shop, copy\. Did you mean 'shop'\?/],
      [
        ['checkpoint', 'drop', 'orders', 'changes:public.order'],
        /no checkpoint of feed 'changes:public\.order'.*Did you mean 'changes:public\.orders'\?/,
      ],
      [['checkpoint', 'set', 'orders', 'changes:public.orders', '{oops'], /the cursor is not JSON/],
      [['dead-letters', 'drop', 'orders', '17'], /job 'orders' has no dead letter with key 17/],
      [['dead-letters', 'drop', 'orders'], /no key given/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await scenario.trueup(...args);
      expect({ args, code, stderr }).toMatchObject({ args, code: 2, stderr: expect.stringMatching(message) as string });
    }
  });

  it('list a bad row as a dead letter, show it by its key, replay and drop it', async () => {
    const scenario = await shop();
    await scenario.trueup('run');
    await scenario.target.query('alter table orders add constraint sane check (total < 50)');
    await scenario.source.query('update orders set total = 99, updated_at = now() where id in (7, 8)');
    const bad = await scenario.trueup('run');
    expect(bad.code).toBe(3);
    expect(bad.stdout).toContain('2 records became dead letters');
    expect((await document(scenario, 'dead-letters', 'list')).document['letters']).toMatchObject([
      { key: '7', code: 'E_RECORD_VALUE' },
      { key: '8' },
    ]);
    expect((await scenario.trueup('dead-letters', 'show', 'orders', '7')).stdout).toMatch(/public\.orders 7[^]*\[E_RECORD_VALUE\]/);
    expect((await scenario.trueup('dead-letters', 'drop', 'orders', '8')).stdout).toBe('1 letter dropped\n');
    await scenario.target.query('alter table orders drop constraint sane');
    const replayed = await document(scenario, 'dead-letters', 'replay', 'orders', '7');
    expect(replayed).toMatchObject({ code: 0, document: { command: 'replay', status: 'succeeded' } });
    expect(await scenario.target.query('select id, total from orders where id in (7, 8) order by id')).toEqual([
      { id: '7', total: '99.00' },
      { id: '8', total: '0.08' },
    ]);
    expect((await scenario.trueup('dead-letters', 'list')).stdout).toBe('no dead letters\n');
  });

  it('copy one stream without a config, bring only changes the second time, and save the config', async () => {
    const scenario = await shop();
    const target = await createDatabase('copy');
    const copy = (...more: string[]) => document(scenario, 'copy', scenario.source.url, target.url, '--stream', 'public.orders', ...more);
    expect(await copy()).toMatchObject({ code: 0, document: { command: 'copy', jobs: [{ streams: [{ upserted: 100 }] }] } });
    await scenario.source.query('update orders set total = 1, updated_at = now() where id = 5');
    const second = await copy('--save', 'saved.yaml');
    expect(second).toMatchObject({ code: 0, document: { jobs: [{ epoch: 2, streams: [{ phase: 'changes', upserted: 1 }] }] } });
    expect(await scenario.trueup('run', '--config', 'saved.yaml')).toMatchObject({ code: 0 });
    expect((await scenario.trueup('copy', scenario.source.url, target.url, '--stream', 'public.orders', '--save', 'saved.yaml')).code).toBe(
      2,
    );
  });

  it('init writes a config that validate accepts', async () => {
    const scenario = await openScenario();
    await scenario.trueup('init', '--source', scenario.source.url, '--target', 'postgres://me:s3cret@localhost/x');
    const validate = scenario.start(['validate'], { env: { TARGET_PASSWORD: 's3cret' } });
    expect(await validate.waitForExit(60_000)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('valid, 2 connections, 1 job') as string,
    });
    expect(await readFile(join(scenario.dir, 'trueup.yaml'), 'utf8')).not.toContain('s3cret');
  });

  it('validate lists every problem on stdout with its place', async () => {
    const scenario = await openScenario();
    await scenario.jobs('\n  orders: { source: shp, target: copy, streams: [{ from: a, keey: [id] }] }\n');
    const { code, stdout, stderr } = await scenario.trueup('validate');
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
    expect(stdout).toMatch(/^trueup\.yaml:\d+:\d+ \[E_CONFIG_INVALID\] .*'shp'.*Did you mean 'shop'\?$/m);
    expect(stdout).toMatch(/^trueup\.yaml:\d+:\d+ \[E_CONFIG_INVALID\] .*'keey'.*$/m);
    const told = await document(scenario, 'run');
    expect(told).toMatchObject({
      code: 2,
      document: {
        command: 'run',
        exitCode: 2,
        error: { code: 'E_CONFIG_INVALID' },
        diagnostics: [{ line: expect.any(Number) as number }, {}],
      },
    });
  });

  it('end with the exit code of the signal, in the document as well', async () => {
    const scenario = await shop();
    const follow = scenario.start(['run', '--follow', '--json', '--log-level', 'info']);
    await expect
      .poll(async () => (await scenario.target.query<{ there: boolean }>("select to_regclass('orders') is not null as there"))[0]?.there, {
        timeout: 60_000,
      })
      .toBe(true);
    follow.kill('SIGINT');
    const { code, stdout } = await follow.waitForExit(60_000);
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ command: 'run', status: 'stopped', exitCode: 130, jobs: [{ exitCode: 130 }] });
  });

  it('start runs a job on its schedule, tells each run on a line, and exits 0 after a signal', async () => {
    const scenario = await shop();
    await scenario.jobs(ORDERS_JOB.replace('target: copy', 'target: copy\n    schedule: "* * * * * *"'));
    const start = scenario.start(['start']);
    await start.waitForOutput(/"msg":"orders succeeded: 100 read, 100 upserted, 0 deleted"/, 60_000);
    start.kill('SIGTERM');
    const { code, stdout } = await start.waitForExit(60_000);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^job +schedule +next run\norders +\* \* \* \* \* \* \(UTC\) +\d{4}-/);
    expect(stdout).toMatch(/stopped after \d+ runs?\n$/);
  });

  it('print no secret anywhere, not even in debug logs and stack traces', async () => {
    const scenario = await shop();
    const url = scenario.source.url.replace(/\/\/([^:@/]+)(:[^@]*)?@/, '//nobody_known:sup3r-s3cret%21@');
    for (const args of [['run'], ['discover', 'shop'], ['plan']]) {
      const failed = await scenario.start([...args, '--log-level', 'debug', '--json'], { env: { SHOP_URL: url } }).waitForExit(60_000);
      expect(failed.code).toBe(7);
      expect(failed.stdout + failed.stderr).not.toMatch(/sup3r-s3cret/);
    }
  });
});

const describeOnTerminal = hasTerminals ? describeWithPostgres : describe.skip;

describeOnTerminal('cli: on a terminal', PATIENCE, () => {
  it('a run draws its progress in place and takes it away before the table', async () => {
    const scenario = await shop(30_000);
    await scenario.jobs(ORDERS_JOB, 'defaults: { batch: { rows: 500 } }\n');
    const env = { SHOP_URL: scenario.source.url, COPY_URL: scenario.target.url };
    const screen = await runOnTerminal(['run'], { cwd: scenario.dir, env });
    expect(screen).toMatch(/public\.orders {2}first load {2}[\d,]+ rows/);
    expect(screen).toMatch(/\u001b\[1A\r\u001b\[J/);
    const afterPanel = screen.slice(screen.lastIndexOf('\u001b[J') + 3);
    expect(afterPanel).toContain('\u001b[32msucceeded');
    expect(afterPanel).toMatch(/30,000 +30,000/);
  });

  it('NO_COLOR is respected, and nothing is wider than the terminal', async () => {
    const scenario = await shop();
    const env = { SHOP_URL: scenario.source.url, COPY_URL: scenario.target.url, NO_COLOR: '1' };
    const screen = await runOnTerminal(['run'], { cwd: scenario.dir, env, columns: 50 });
    const printed = screen.slice(screen.lastIndexOf('\u001b[J') + 3);
    expect(printed).not.toContain('\u001b');
    expect(printed.split(/\r?\n/).filter((line) => displayWidth(line) > 50)).toEqual([]);
  });

  it('an error is told in words, with what to do', async () => {
    const scenario = await shop();
    const screen = await runOnTerminal(['run', 'nojob'], {
      cwd: scenario.dir,
      env: { SHOP_URL: scenario.source.url, COPY_URL: scenario.target.url, NO_COLOR: '1' },
    });
    expect(screen).toContain("error [E_USAGE] unknown job 'nojob'");
    expect(screen).toContain('what to do:');
  });

  it('JSON stays one document, while progress goes to the terminal', async () => {
    const scenario = await shop();
    const screen = await runOnTerminal(['run', '--json', '2>/dev/null'], {
      cwd: scenario.dir,
      env: { SHOP_URL: scenario.source.url, COPY_URL: scenario.target.url },
    });
    expect(JSON.parse(screen)).toMatchObject({ command: 'run', exitCode: 0 });
  });
});
