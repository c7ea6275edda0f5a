import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { HARMLESS, PLANTS, idsSql, plantAll, seedThings, watchWrites, writtenIds } from './plants.ts';
import { expectEqualTables, openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const THINGS_JOB = `
  things:
    source: shop
    target: copy
    streams:
      - { from: public.things, changes: { by: cursor, field: at } }
`;

/** The same table with a filter that lets everything pass, so that records are compared one by one in trueup. */
const FILTERED_JOB = `
  things:
    source: shop
    target: copy
    streams:
      - { from: public.things, changes: { by: cursor, field: at }, where: "id != 0" }
`;

async function loaded(job: string, count: number, numbered = false): Promise<Scenario> {
  const scenario = await openScenario();
  await seedThings(scenario.source, count);
  if (numbered)
    await scenario.source.query('create table public.numbered (id serial primary key, v int); insert into public.numbered (v) values (1)');
  await scenario.jobs(job);
  expect((await scenario.run()).code).toBe(0);
  return scenario;
}

const BY = [
  ['the databases', THINGS_JOB, 'database'],
  ['trueup', FILTERED_JOB, 'records'],
] as const;

describeWithPostgres('verify', () => {
  it.each(BY)(
    'finds every planted difference and no other, repairs these and touches no other row, in %s',
    { timeout: 180_000 },
    async (_in, job, by) => {
      const scenario = await loaded(job, 50_000);
      const { target } = scenario;
      const clean = await verify(scenario, 'things');
      expect(clean).toMatchObject({ code: 0, report: { consistent: true } });
      expect(clean.stream()).toMatchObject({
        by,
        compared: { source: 50_000, target: 50_000 },
        missing: 0,
        extra: 0,
        different: 0,
        samples: [],
      });

      const planted = await plantAll(target, 20, 500);
      for (const sql of HARMLESS(idsSql([11, 511, 1011]))) await target.query(sql);
      const differing = PLANTS.filter(({ kind }) => kind === 'different').length * 20;
      const found = await verify(scenario, 'things');
      expect(found.code).toBe(4);
      expect(found.stream()).toMatchObject({ missing: 20, extra: 20, different: differing, repaired: 0 });
      expect(found.report.error).toBeUndefined();

      await watchWrites(target, 'public.things');
      const limited = await verify(scenario, 'things', '--repair', '--max-repair', '50');
      expect(limited).toMatchObject({ code: 4, report: { error: { code: 'E_REPAIR' } } });
      expect(await writtenIds(target)).toEqual([]);

      const repaired = await verify(scenario, 'things', '--repair');
      expect(repaired.code).toBe(0);
      expect(repaired.stream()).toMatchObject({ missing: 20, extra: 20, different: differing, repaired: differing + 40 });
      const ids = [...planted].flatMap(([{ kind }, of]) => (kind === 'extra' ? of.map((id) => -id) : of));
      expect(await writtenIds(target)).toEqual(ids.toSorted((a, b) => a - b));
      expect((await verify(scenario, 'things')).code).toBe(0);
    },
  );

  it('tells every difference by its key and field, with values only when asked for', { timeout: 120_000 }, async () => {
    const scenario = await loaded(THINGS_JOB, 40);
    const expected = [];
    for (const [index, { kind, field, sql }] of PLANTS.entries()) {
      await scenario.target.query(sql(`id = ${index + 1}`));
      expected.push({ key: String(kind === 'extra' ? -index - 1 : index + 1), kind, fields: field === undefined ? [] : [{ field }] });
    }
    const byKey = (a: { readonly key: string }, b: { readonly key: string }): number => Number(a.key) - Number(b.key);
    expect((await verify(scenario, 'things')).stream().samples.toSorted(byKey)).toEqual(expected.toSorted(byKey));
    const fields = (await verify(scenario, 'things', '--values')).stream().samples.flatMap((sample) => sample.fields);
    expect(fields).toHaveLength(PLANTS.filter(({ field }) => field !== undefined).length);
    for (const field of fields) {
      expect(Object.keys(field).toSorted()).toEqual(['field', 'source', 'target']);
      expect(field.source).not.toBe(field.target);
    }
    expect(fields).toContainEqual({ field: 'at', source: '2026-01-01T00:00:00.126456Z', target: '2026-01-01T00:00:00.126457Z' });
    expect(fields).toContainEqual({ field: 'label', source: '', target: null });
    expect(fields).toContainEqual({ field: 'ratio', source: '0', target: '-0' });
  });

  it('says what a stream that was never loaded lacks, and what to do', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    await seedThings(scenario.source, 100);
    await scenario.jobs(THINGS_JOB);
    const { code, stream } = await verify(scenario, 'things');
    expect(code).toBe(4);
    expect(stream()).toMatchObject({
      compared: { source: 100, target: 0 },
      missing: 100,
      note: expect.stringContaining('trueup run things'),
    });
    const repair = await verify(scenario, 'things', '--repair');
    expect(repair).toMatchObject({ code: 2, report: { streams: [{ error: { code: 'E_USAGE' } }] } });
  });

  it('takes what is newer than the checkpoint for pending, and repairs none of it', { timeout: 120_000 }, async () => {
    const scenario = await loaded(THINGS_JOB, 1000);
    await scenario.source.query(
      `update public.things set label = 'new', at = now() where id <= 30; insert into public.things select 5000 + n, now(), 1, '', 0, '{"a": 1}', true from generate_series(1, 5) n`,
    );
    await scenario.target.query(`update public.things set flag = not flag where id in (500, 1)`);
    const { stream } = await verify(scenario, 'things');
    expect(stream()).toMatchObject({ missing: 0, different: 1, explained: { pending: 35 } });
    await watchWrites(scenario.target, 'public.things');
    expect((await verify(scenario, 'things', '--repair')).code).toBe(0);
    expect(await writtenIds(scenario.target)).toEqual([500]);
    await scenario.run();
    const after = await verify(scenario, 'things');
    expect(after.stream()).toMatchObject({ missing: 0, different: 0, explained: { pending: 0 } });
    await expectEqualTables(scenario, 'public.things');
  });

  it('tells when a repair does not hold', { timeout: 120_000 }, async () => {
    const scenario = await loaded(THINGS_JOB, 100);
    await scenario.target.query(`
      update public.things set label = 'wrong' where id in (5, 6);
      create function public.spoil() returns trigger language plpgsql as $$ begin new.label := 'wrong'; return new; end $$;
      create trigger spoil before update on public.things for each row when (new.id = 5) execute function public.spoil()`);
    const { code, report, stream } = await verify(scenario, 'things', '--repair');
    expect(code).toBe(4);
    expect(report.consistent).toBe(false);
    expect(stream()).toMatchObject({ different: 2, repaired: 1 });
  });

  it('refuses to repair while another run owns the job, and compares all the same', { timeout: 180_000 }, async () => {
    const scenario = await loaded(THINGS_JOB, 100);
    await scenario.target.query('delete from public.things where id = 5');
    const following = scenario.start(['run', '--follow']);
    try {
      await expect.poll(() => owners(scenario), { timeout: 30_000 }).toBe(1);
      expect((await verify(scenario, 'things')).stream()).toMatchObject({ missing: 1 });
      expect(await verify(scenario, 'things', '--repair')).toMatchObject({ code: 6, report: { error: { code: 'E_OWNED' } } });
    } finally {
      following.kill('SIGTERM');
      await following.waitForExit(30_000);
    }
    expect((await verify(scenario, 'things', '--repair')).code).toBe(0);
  });

  it('shows the last verify in status, beside the last run', { timeout: 120_000 }, async () => {
    const scenario = await loaded(THINGS_JOB, 10);
    await scenario.target.query('delete from public.things where id = 5');
    const { report } = await verify(scenario, 'things', '--values');
    const status = JSON.parse((await scenario.trueup('status', '--json')).stdout) as {
      jobs: { lastRun: { command: string }; lastVerify: object }[];
    };
    expect(status.jobs[0]?.lastRun.command).toBe('run');
    expect(status.jobs[0]?.lastVerify).toEqual({ run: report.run, at: report.endedAt, consistent: false });
  });

  it('compares a share of the records, the same ones each time', { timeout: 120_000 }, async () => {
    const scenario = await loaded(THINGS_JOB, 10_000);
    const [one, two] = [
      await verify(scenario, 'things', '--sample-share', '5%'),
      await verify(scenario, 'things', '--sample-share', '0.05'),
    ];
    expect(one.code).toBe(0);
    expect(one.stream().compared).toEqual(two.stream().compared);
    expect(one.report.sampleShare).toBe(0.05);
    expect(one.stream().compared.source).toBeGreaterThan(300);
    expect(one.stream().compared.source).toBeLessThan(700);
  });

  it('compares only what changed since a time, where the source can tell', { timeout: 120_000 }, async () => {
    const scenario = await loaded(`${THINGS_JOB}      - { from: public.numbered, changes: { by: sequence, field: id } }\n`, 100, true);
    await scenario.source.query(`update public.things set at = now(), label = 'new' where id <= 10`);
    await scenario.run();
    await scenario.target.query(`update public.things set flag = not flag where id in (3, 50); delete from public.things where id = 4`);
    const { code, report, stream } = await verify(scenario, 'things', '--since', '1h', '--stream', 'public.things');
    expect(code).toBe(4);
    expect(stream()).toMatchObject({ compared: { source: 10, target: 9 }, missing: 1, different: 1 });
    expect(
      stream()
        .samples.map(({ key }) => key)
        .toSorted(),
    ).toEqual(['3', '4']);
    expect(Date.parse(report.startedAt) - Date.parse(report.since ?? '')).toBe(3_600_000);
    const numbered = await verify(scenario, 'things', '--since', '1h', '--stream', 'public.numbered');
    expect(numbered).toMatchObject({ code: 2, report: { consistent: false, streams: [{ error: { code: 'E_COMPARE_UNSUPPORTED' } }] } });
  });

  it('prints what differs and what to do next', { timeout: 120_000 }, async () => {
    const scenario = await loaded(THINGS_JOB, 10);
    await scenario.target.query(`update public.things set label = 'x' where id = 3`);
    const { stdout, code } = await scenario.trueup('verify', 'things', '--values');
    expect(code).toBe(4);
    expect(stdout).toContain('different public.things 3  label: "" in the source, "x" in the target');
    expect(stdout).toContain('trueup why things public.things 3');
    expect(stdout).toContain('trueup verify things --stream public.things --repair');
    expect((await scenario.trueup('verify', 'things')).stdout).not.toContain('"x"');
  });
});

async function owners({ target }: Scenario): Promise<number> {
  const [row] = await target.query<{ count: string }>(`select count(*) from trueup.leases`);
  return Number(row?.count);
}
