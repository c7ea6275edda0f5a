import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openScenario, ORDERS_JOB } from '../end-to-end/scenario.ts';
import type { Scenario } from '../end-to-end/scenario.ts';
import { runTrueup } from '../processes.ts';
import { describeWithPostgres } from '../servers/postgres.ts';

/** A database as people have them: a table with everything, one without a key, a view. */
const SHOP = `
  create table orders (id bigint primary key, note text, total numeric(10,2) not null, updated_at timestamptz not null default now());
  create index on orders (updated_at, id);
  insert into orders select i, 'note ' || i, i, '2024-01-01'::timestamptz + i * interval '1 second' from generate_series(1, 5) i;
  create table events (at timestamptz, what text);
  create table "log.all*" (what text);
  create view recent as select id, note from orders`;

async function shop(): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source.query(SHOP);
  return scenario;
}

/** Every check starts several processes, which take their time on a machine that is busy. */
describeWithPostgres('cli: the first steps of somebody who is new', { timeout: 180_000 }, () => {
  it('init leaves tables without a key out, so that the config it writes runs as it is', async () => {
    const { source, target, dir, trueup } = await shop();
    const init = await trueup('init', '--source', source.url, '--target', target.url);
    expect(init.stdout).toContain(String.raw`left out, because they have no key: public.events, public.log\.all*`);
    expect(await readFile(join(dir, 'trueup.yaml'), 'utf8')).toContain(String.raw`except: ["public.events", "public.log\\.all\\*"]`);
    const variables = Object.fromEntries(
      [source, target].map(({ url }, index) => [index === 0 ? 'SOURCE_PASSWORD' : 'TARGET_PASSWORD', new URL(url).password]),
    );
    const run = await runTrueup(['run'], { cwd: dir, env: variables });
    expect(run.stdout).toMatch(/public\.orders +succeeded/);
    expect(run.code).toBe(0);
  });

  it('init writes a config for a source that does not answer, and says what it could not ask', async () => {
    const { dir, trueup } = await shop();
    const init = await trueup('init', '--source', 'postgres://me:s3cret@127.0.0.1:1/shop', '--json');
    expect(init.code).toBe(0);
    expect(JSON.parse(init.stdout)).toMatchObject({ unasked: expect.stringContaining('127.0.0.1') as string });
    expect(init.stdout + init.stderr).not.toContain('s3cret');
    expect(await readFile(join(dir, 'trueup.yaml'), 'utf8')).toContain('has to be left out');
  });

  it('discover offers no change method to a table that a plan would refuse', async () => {
    const scenario = await shop();
    await scenario.jobs(ORDERS_JOB);
    const { stdout } = await scenario.trueup('discover', 'shop');
    expect(stdout).toMatch(/^public\.events .*\(none\).* once it has a key: xmin/m);
    expect(stdout).toMatch(/^public\.orders .* cursor \(updated_at/m);
    expect(stdout).toMatch(/^public\.recent .* once it has a key: snapshot/m);
    expect(stdout).toContain('`key: [...]`');
  });

  it('copy tells of a mistake without pointing at a file that does not exist', async () => {
    const { source, target, trueup } = await shop();
    for (const stream of ['public.events', 'public.ordrs']) {
      const copy = await trueup('copy', source.url, target.url, '--stream', stream);
      expect(copy.code).toBe(2);
      expect(copy.stdout + copy.stderr).toContain(`'${stream}'`);
      expect(copy.stdout + copy.stderr).not.toMatch(/\.ya?ml|:\d+:\d+ /);
      expect(copy.stdout).toContain('--key');
    }
    const saved = await trueup('copy', source.url, target.url, '--stream', 'public.events', '--save', 'kept.yaml');
    expect(saved.stdout).toMatch(/kept\.yaml:\d+:\d+ /);
    const unknown = await trueup('copy', source.url, target.url, '--stream', 'public.orders', '--by', 'cursor:nothing', '--json');
    expect(unknown.stdout).not.toContain('.yaml');
  });

  it('checkpoint list needs no job', async () => {
    const scenario = await shop();
    await scenario.source.query('create table items (id int primary key)');
    await scenario.jobs(`${ORDERS_JOB}  items:\n    source: shop\n    target: copy\n    streams: [{ from: public.items }]\n`);
    expect((await scenario.trueup('run')).code).toBe(0);
    const all = await scenario.trueup('checkpoint', 'list');
    expect(all.stdout).toMatch(/^job +feed/m);
    expect(all.stdout).toMatch(/^orders +changes:public\.orders +open/m);
    expect(all.stdout).toMatch(/^items +changes:public\.items +open/m);
    expect((await scenario.trueup('checkpoint', 'list', 'items')).stdout).not.toContain('orders');
    expect((await scenario.trueup('checkpoint', 'list', 'itms')).code).toBe(2);
    const json = JSON.parse((await scenario.trueup('checkpoint', 'list', '--json')).stdout) as { checkpoints: { job: string }[] };
    expect(json.checkpoints.map(({ job }) => job).sort()).toEqual(['items', 'orders']);
  });

  it('run and status tell in a line what is still open, and when the next run begins', async () => {
    const scenario = await shop();
    await scenario.jobs(ORDERS_JOB.replace('target: copy', 'target: copy\n    schedule: "0 3 * * *"'));
    await scenario.trueup('run');
    await scenario.target.query('alter table orders add constraint sane check (total < 50)');
    await scenario.source.query('update orders set total = 99, updated_at = now() where id in (1, 2)');
    expect((await scenario.trueup('run')).code).toBe(3);
    const later = await scenario.trueup('run');
    expect(later).toMatchObject({ code: 0 });
    expect(later.stdout.split('\n').filter((line) => line.includes('dead-letters'))).toEqual([
      expect.stringContaining('2 records could not be written') as string,
    ]);
    expect((await scenario.trueup('status')).stdout).toContain('only while `trueup start` runs');
  });

  it('a checkpoint is saved by a run that finds nothing new, so that its lag says how old the last look is', async () => {
    const scenario = await shop();
    await scenario.jobs(ORDERS_JOB);
    await scenario.trueup('run');
    const savedAt = async (): Promise<string> => {
      const { stdout } = await scenario.trueup('status', 'orders', '--json');
      return (JSON.parse(stdout) as { jobs: [{ feeds: [{ savedAt: string }] }] }).jobs[0].feeds[0].savedAt;
    };
    const first = await savedAt();
    await scenario.trueup('run');
    expect(Date.parse(await savedAt())).toBeGreaterThan(Date.parse(first));
  });
});
