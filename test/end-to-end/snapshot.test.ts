import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { randomKills } from './random-kills.ts';
import { expectEqualTables, openScenario, ranOf, tableContent } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** A lookup table as there are many: nothing in it says when a row changed. */
const COUNTRIES = `create table public.countries (code char(2) primary key, name text not null, rate numeric, since date, extra jsonb);
  insert into public.countries select chr(65 + n / 26) || chr(65 + n % 26), 'country ' || n, n / 7.0, date '2000-01-01' + n, jsonb_build_object('n', n) from generate_series(0, 299) n`;

const JOB = `
  lookups:
    source: shop
    target: copy
    streams:
      - { from: public.countries, changes: { by: snapshot } }
`;

async function countries(yaml = JOB, extra = ''): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source.query(COUNTRIES);
  await scenario.jobs(yaml, extra);
  return scenario;
}

/** Counts rows that are written to the target from now on. */
async function countWrites(scenario: Scenario, table: string): Promise<() => Promise<number>> {
  await scenario.target.query(`create table public.writes (n int);
    create function public.count_write() returns trigger language plpgsql as $$ begin insert into public.writes values (1); return null; end $$;
    create trigger count_write after insert or update or delete on ${table} for each row execute function public.count_write()`);
  return async () => (await tableContent(scenario.target, 'public.writes')).length;
}

describeWithPostgres('changes by snapshot', { timeout: 120_000 }, () => {
  it('write only what differs, delete what is gone, and nothing when there is nothing to do', async () => {
    const scenario = await countries();
    const first = await scenario.run();
    expect(first.code).toBe(0);
    expect(first.stream('public.countries')).toMatchObject({ upserted: 300, compared: { source: 300, target: 300 } });
    const writes = await countWrites(scenario, 'public.countries');
    expect((await scenario.run()).stream('public.countries')).toMatchObject({
      read: 0,
      upserted: 0,
      unchanged: 0,
      deleted: 0,
      caughtUp: true,
    });
    expect(await writes()).toBe(0);
    await scenario.source
      .query(`update public.countries set rate = rate + 0.01 where code = 'AB'; update public.countries set extra = null where code = 'AC';
      delete from public.countries where code in ('AD', 'AE'); insert into public.countries values ('ZZ', 'new', 'NaN', '-infinity', '[1, 2.50]')`);
    const ran = await scenario.run();
    expect(ran.code).toBe(0);
    expect(ran.stream('public.countries')).toMatchObject({ deleted: 2 });
    expect(ran.report.jobs[0]?.guarantee).toMatchObject({ deletes: 'by-compare', lateCommits: 'delivered', assumes: [] });
    await expectEqualTables(scenario, 'public.countries');
    // What somebody did to the target is undone.
    await scenario.target
      .query(`update public.countries set name = 'tampered' where code = 'BB'; delete from public.countries where code = 'BC';
      insert into public.countries values ('!!', 'foreign')`);
    expect((await scenario.run()).stream('public.countries')).toMatchObject({ read: 3, upserted: 2, deleted: 1 });
    await expectEqualTables(scenario, 'public.countries');
  });

  it('are the default for views and queries that nothing else tells of', async () => {
    const scenario = await openScenario();
    await scenario.source.query(`create table public.lines (id int primary key, shop int not null, amount numeric not null);
      insert into public.lines select n, n % 50, n * 1.5 from generate_series(1, 1000) n;
      create view public.totals as select shop, sum(amount) as total, count(*) as lines from public.lines group by shop`);
    await scenario.jobs(`
  totals:
    source: shop
    target: copy
    streams:
      - { from: public.totals, key: [shop] }
      - { query: "select shop, max(amount) as most from public.lines group by shop", to: public.most, key: [shop] }
`);
    const plan = JSON.parse((await scenario.trueup('plan', '--json')).stdout) as { jobs: { streams: { changes: string }[] }[] };
    expect(plan.jobs[0]?.streams.map(({ changes }) => changes)).toEqual(['snapshot', 'snapshot']);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(
      'delete from public.lines where shop = 7; update public.lines set amount = amount + 1 where shop in (1, 2)',
    );
    const ran = await scenario.run();
    expect(ran.code).toBe(0);
    expect(ran.stream('public.totals')).toMatchObject({ read: 3, upserted: 2, deleted: 1 });
    await expectEqualTables(scenario, 'public.totals');
    expect(await tableContent(scenario.target, 'public.most')).toEqual(
      await tableContent(scenario.source, '(select shop, max(amount) as most from public.lines group by shop)'),
    );
  });

  it('guard large tables against a source that is not whole, by maxShare', async () => {
    const scenario = await countries();
    await scenario.source.query(`insert into public.countries select 'a' || chr(100 + n), 'x' from generate_series(1, 0) n`);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query('truncate public.countries');
    const empty = await scenario.run();
    expect([empty.code, empty.stream('public.countries').error?.code]).toEqual([5, 'E_DELETES']);
    expect(empty.report.jobs[0]).not.toHaveProperty('guarantee');
    expect(await tableContent(scenario.target, 'public.countries')).toHaveLength(300);
    await scenario.jobs(JOB.replace('snapshot }', 'snapshot }, deletes: { compare: { maxShare: 100% } }'));
    expect((await scenario.run()).stream('public.countries')).toMatchObject({ deleted: 300 });
  });

  it('follow drift, and set bad records aside', async () => {
    const scenario = await countries();
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(`alter table public.countries add column area int default 5`);
    const ran = await scenario.run();
    expect([ran.code, ran.stream('public.countries').upserted]).toEqual([0, 300]);
    await expectEqualTables(scenario, 'public.countries');
    await scenario.target.query(`alter table public.countries add check (area <> 13)`);
    await scenario.source.query(
      `update public.countries set area = 13 where code = 'AB'; update public.countries set area = 6 where code = 'AC'`,
    );
    const bad = await scenario.run();
    expect(bad.code).toBe(3);
    expect(bad.stream('public.countries')).toMatchObject({ upserted: 1, deadLettered: 1 });
    // The letter stays as long as the record is bad, and is no news.
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(`update public.countries set area = 14 where code = 'AB'`);
    expect((await scenario.run()).stream('public.countries')).toMatchObject({ upserted: 1, lettersResolved: 1 });
    await expectEqualTables(scenario, 'public.countries');
  });

  it('say of rows without a key that they cannot be told apart', async () => {
    const scenario = await openScenario();
    await scenario.source.query(`create view public.v as select * from (values (1, 'a'), (2, 'b'), (null, 'c')) v(id, name)`);
    await scenario.jobs(`
  v:
    source: shop
    target: copy
    streams: [{ from: public.v, key: [id], changes: { by: snapshot } }]
`);
    expect((await scenario.run()).code).toBe(3);
    const again = await scenario.run();
    expect(again.stream('public.v')).toMatchObject({ deadLettered: 1 });
    expect(await tableContent(scenario.target, 'public.v')).toHaveLength(2);
  });

  it('converge after kill -9 at random instants, with writers at work', async () => {
    const scenario = await openScenario();
    await scenario.source.query(`create table public.t (id int primary key, v int not null, pad text default repeat('x', 200));
      insert into public.t select n, 0 from generate_series(1, 20000) n`);
    await scenario.jobs(
      `
  t:
    source: shop
    target: copy
    streams: [{ from: public.t, changes: { by: snapshot }, deletes: { compare: { maxShare: 100% } } }]
`,
      'defaults: { batch: { rows: 500 } }\n',
    );
    const kills = randomKills();
    for (let turn = 0; turn < 5; turn += 1) {
      const running = scenario.start(['run', '--json', '--log-level', 'error']);
      const ending = kills.kill(running);
      await scenario.source.query(`update public.t set v = v + 1 where id % 7 = ${turn}; delete from public.t where id % 100 = ${turn};
        insert into public.t select n, 1 from generate_series(${30_000 + turn * 100}, ${30_050 + turn * 100}) n`);
      const exit = await ending;
      if (exit.signal !== 'SIGKILL') expect(ranOf(exit).code).toBe(0);
    }
    expect(kills.fell).toBeGreaterThan(0);
    expect((await scenario.run()).code).toBe(0);
    await expectEqualTables(scenario, 'public.t');
    expect((await scenario.run()).stream('public.t')).toMatchObject({ read: 0 });
  });
});
