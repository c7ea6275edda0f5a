import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, ranOf, seedOrders } from './scenario.ts';

describeWithPostgres('where checkpoints are kept', () => {
  it(
    'in the state file, when the job says so: the target has no schema of ours, and a kill repeats nothing that matters',
    { timeout: 120_000 },
    async () => {
      const scenario = await openScenario();
      await seedOrders(scenario.source, 3_000);
      await scenario.jobs(`${ORDERS_JOB}    checkpoints: state\n`, 'defaults: { batch: { rows: 100 } }\n');
      const first = await scenario.run();
      expect(first.code).toBe(0);
      expect(first.report.jobs[0]).toMatchObject({
        checkpoints: 'state',
        guarantee: { delivery: 'at-least-once', staleWrites: 'possible' },
      });
      expect(existsSync(join(scenario.dir, '.trueup/state.db'))).toBe(true);
      expect(await scenario.target.query(`select to_regnamespace('trueup') as there`)).toEqual([{ there: null }]);
      await scenario.source.query(`update public.orders set total = total + 1, updated_at = now()`);
      const running = scenario.start(['run', '--json']);
      await expect
        .poll(async () => (await scenario.target.query(`select 1 from public.orders where updated_at > '2026-06-01' limit 1`)).length, {
          timeout: 30_000,
          interval: 20,
        })
        .toBe(1);
      running.kill('SIGKILL');
      await running.waitForExit();
      expect((await scenario.run()).code).toBe(0);
      await expectEqualTables(scenario, 'public.orders');
      expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 0 });
    },
  );

  it('in a Postgres of their own, shared by several machines', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    const state = await createDatabase('state');
    await seedOrders(scenario.source, 500);
    await scenario.jobs(`${ORDERS_JOB}    checkpoints: state\n`, `state: ${JSON.stringify(state.url)}\n`);
    expect((await scenario.run()).code).toBe(0);
    expect(existsSync(join(scenario.dir, '.trueup/state.db'))).toBe(false);
    expect(await state.query('select job from trueup_state.checkpoints')).toEqual([{ job: 'orders' }]);
    await scenario.source.query(`update public.orders set total = 0, updated_at = now() where id <= 10`);
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ upserted: 10 });
    const status = await scenario.trueup('status', 'orders', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({
      jobs: [
        {
          job: 'orders',
          deadLetters: 0,
          lastRun: { status: 'succeeded' },
          feeds: [{ kind: 'changes', state: 'open', streams: ['public.orders'] }],
        },
      ],
    });
    await state.drop();
  });
});

describeWithPostgres('what a job allows', () => {
  it('`ddl: manual` ends with 5 and the statements, and goes on once they were run', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 50);
    await scenario.jobs(`${ORDERS_JOB}    ddl: manual\n`);
    const stopped = ranOf(await scenario.trueup('run', '--json'));
    expect(stopped.code).toBe(5);
    const error = stopped.report.jobs[0]?.error;
    expect(error?.code).toBe('E_DDL_MANUAL');
    expect(error?.statements?.join('\n')).toMatch(/create table .*"public"\."orders"/i);
    expect(await scenario.target.query(`select to_regclass('public.orders') as there`)).toEqual([{ there: null }]);
    await scenario.target.query(error?.statements?.join(';\n') ?? '');
    expect((await scenario.run()).code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
    await scenario.source.query(`alter table public.orders add column extra int`);
    const again = ranOf(await scenario.trueup('run', '--json'));
    expect(again.code).toBe(5);
    await scenario.target.query(again.report.jobs[0]?.error?.statements?.join(';\n') ?? '');
    expect((await scenario.run()).code).toBe(0);
  });

  it('`require` that the pair cannot keep ends with 5 before anything is read', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 50);
    await scenario.jobs(`${ORDERS_JOB}    require: { deletes: delivered, lateCommits: delivered }\n`);
    const refused = ranOf(await scenario.trueup('run', '--json'));
    expect(refused.code).toBe(5);
    expect(refused.report.jobs[0]?.error).toMatchObject({ code: 'E_REQUIRE' });
    expect(refused.report.jobs[0]?.error?.message).toMatch(/deletes/);
    expect(await scenario.target.query(`select to_regclass('public.orders') as there`)).toEqual([{ there: null }]);
  });

  it('letters beyond the limit end with 5, and what was read before them is kept', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 1_000);
    await scenario.jobs(`${ORDERS_JOB}    deadLetters: { stopAfter: 5 }\n`, 'defaults: { batch: { rows: 100 } }\n');
    await scenario.trueup('plan', '--apply');
    await scenario.target.query(`alter table public.orders add check (id <= 500)`);
    const stopped = await scenario.run();
    expect(stopped.code).toBe(5);
    expect(stopped.report.status).toBe('failed');
    expect(JSON.stringify(stopped.report)).toContain('E_LETTERS');
    const [{ n } = { n: 0 }] = await scenario.target.query<{ n: number }>('select count(*)::int as n from public.orders');
    expect(stopped.stream('public.orders')).toMatchObject({ upserted: n });
    await scenario.target.query(`alter table public.orders drop constraint orders_id_check`);
    expect((await scenario.run()).code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });

  it('two streams into one target are refused', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await scenario.source.query(`create table public.a (id int primary key); create table public.b (id int primary key)`);
    await scenario.jobs(
      `\n  both:\n    source: shop\n    target: copy\n    streams:\n      - { from: public.a, to: public.same }\n      - { from: public.b, to: public.same }\n`,
    );
    const refused = await scenario.trueup('run', '--json');
    expect({ code: refused.code, stdout: refused.stdout }).toMatchObject({ code: 2 });
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: { code: 'E_CONFIG_INVALID' },
      diagnostics: [{ file: 'trueup.yaml', line: expect.any(Number) }],
    });
    // The same by wildcards that meet in one name.
    await scenario.source.query(`create schema other; create table other.a (id int primary key)`);
    await scenario.jobs(`\n  both:\n    source: shop\n    target: copy\n    streams: [{ from: "*.a", to: "all.{table}" }]\n`);
    const met = await scenario.trueup('run', '--json');
    expect({ code: met.code, stdout: met.stdout }).toMatchObject({ code: 2 });
  });
});

describeWithPostgres('what happens to rows', () => {
  it(
    'wildcards take what matches, but for exceptions and streams named by themselves, to names made of parts',
    { timeout: 60_000 },
    async () => {
      const scenario = await openScenario();
      for (const name of ['alpha', 'beta', 'audit_x', 'audit_y', 'gamma'])
        await scenario.source.query(
          `create table public.${name} (id int primary key, v int); insert into public.${name} select n, n from generate_series(1, 5) as n`,
        );
      await scenario.jobs(
        `\n  all:\n    source: shop\n    target: copy\n    streams:\n      - { from: "public.*", except: ["public.audit_*"], to: "archive.{table}" }\n      - { from: public.gamma, to: public.g, where: "v > 3" }\n`,
      );
      const ran = await scenario.run();
      expect(ran.code).toBe(0);
      expect(
        ran.report.jobs[0]?.streams
          .map(({ stream, target, upserted }) => ({ stream, target, upserted }))
          .toSorted((a, b) => (a.stream < b.stream ? -1 : 1)),
      ).toEqual([
        { stream: 'public.alpha', target: 'archive.alpha', upserted: 5 },
        { stream: 'public.beta', target: 'archive.beta', upserted: 5 },
        { stream: 'public.gamma', target: 'public.g', upserted: 2 },
      ]);
      await scenario.source.query(`create table public.delta (id int primary key, v int); insert into public.delta values (1, 1)`);
      const more = await scenario.run();
      expect(more.code).toBe(0);
      expect(more.stream('public.delta')).toMatchObject({ upserted: 1, target: 'archive.delta' });
      expect(more.stream('public.alpha')).toMatchObject({ read: 0 });
      const one = await scenario.run('--stream', 'public.beta');
      expect(one.report.jobs[0]?.streams.map(({ stream }) => stream)).toEqual(['public.beta']);
    },
  );

  it(
    'a guard refuses older writes, deletes are marked or ignored, a row that comes back is no longer marked',
    { timeout: 120_000 },
    async () => {
      const scenario = await openScenario();
      for (const name of ['guarded', 'marked', 'kept', 'staying'])
        await scenario.source.query(
          `create table public.${name} (id int primary key, v int, gone boolean not null default false, updated_at timestamptz not null default now()); create index on public.${name} (updated_at, id); insert into public.${name} select n, n from generate_series(1, 10) as n`,
        );
      const stream = (name: string, more: string): string =>
        `      - { from: public.${name}, changes: { by: cursor, field: updated_at }, ${more} }\n`;
      await scenario.jobs(
        `\n  all:\n    source: shop\n    target: copy\n    streams:\n${stream('guarded', 'guard: updated_at')}${stream('marked', 'deletes: { when: gone }, onDelete: { mark: removed_at }')}${stream('kept', 'deletes: { when: gone }, onDelete: ignore')}${stream('staying', 'where: "v < 100", onExit: keep')}`,
      );
      await scenario.target.query(
        `create table public.marked (id int primary key, v int, gone boolean not null, updated_at timestamptz not null, removed_at timestamptz)`,
      );
      expect((await scenario.run()).code).toBe(0);
      await scenario.target.query(`update public.guarded set v = 99, updated_at = now() + interval '1 day' where id = 1`);
      await scenario.source
        .query(`update public.guarded set v = 50, updated_at = now() where id <= 2; update public.marked set gone = true, updated_at = now() where id <= 3;
      update public.kept set gone = true, updated_at = now() where id <= 3; update public.staying set v = v + 100, updated_at = now() where id <= 3`);
      const second = await scenario.run();
      expect(second.code).toBe(0);
      expect(second.report.jobs[0]?.guarantee?.staleWrites).toMatch(/refused|guarded/);
      expect(second.stream('public.guarded')).toMatchObject({ read: 2, upserted: 1, superseded: 1 });
      expect(second.stream('public.marked')).toMatchObject({ read: 3, deleted: 3 });
      expect(second.stream('public.kept')).toMatchObject({ read: 3, deleted: 0 });
      expect(second.stream('public.staying')).toMatchObject({ read: 3, deleted: 0 });
      expect(await scenario.target.query(`select id, v from public.guarded where id <= 2 order by id`)).toEqual([
        { id: 1, v: 99 },
        { id: 2, v: 50 },
      ]);
      expect(await scenario.target.query(`select count(*)::int as n from public.marked where removed_at is not null`)).toEqual([{ n: 3 }]);
      expect(
        await scenario.target.query(
          `select (select count(*) from public.kept)::int as kept, (select count(*) from public.staying where v < 100)::int as staying`,
        ),
      ).toEqual([{ kept: 10, staying: 10 }]);
      await scenario.source.query(`update public.marked set gone = false, updated_at = now() where id = 1`);
      expect((await scenario.run()).stream('public.marked')).toMatchObject({ read: 1, upserted: 1 });
      expect(await scenario.target.query(`select count(*)::int as n from public.marked where removed_at is not null`)).toEqual([{ n: 2 }]);
    },
  );
});
