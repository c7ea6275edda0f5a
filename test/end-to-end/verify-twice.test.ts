import { expect, it } from 'vitest';
import { createRole, describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const JOB = (stream: string) => `
  things:
    source: shop
    target: copy
    streams:
      - ${stream}
`;

describeWithPostgres('verify of what only seems to be equal', () => {
  it.each([
    ['the databases', '', 'database'],
    ['trueup', ', where: "k != 0"', 'records'],
  ])('tells of a record that the target holds twice, compared in %s', { timeout: 120_000 }, async (_in, where, by) => {
    const scenario = await openScenario();
    const { source, target } = scenario;
    await source.query('create table public.t (k int primary key, v int); insert into public.t select n, n from generate_series(1, 50) n');
    await scenario.jobs(JOB(`{ from: public.t, changes: { by: snapshot }${where} }`));
    expect((await scenario.run()).code).toBe(0);
    await target.query('alter table public.t drop constraint t_pkey; insert into public.t select * from public.t where k < 4');
    await target.query('insert into public.t values (9, 1000)');
    const found = await verify(scenario, 'things');
    expect(found.code).toBe(4);
    expect(found.stream()).toMatchObject({ by, compared: { source: 50, target: 54 }, missing: 0, extra: 0, different: 4 });
    expect(
      found
        .stream()
        .samples.map(({ key }) => key)
        .toSorted(),
    ).toEqual(['1', '2', '3', '9']);
  });

  it('tells of records of the source with one key that are not the same, repaired or not', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    const { source } = scenario;
    await source.query(`create table public.b (k int, v int); insert into public.b select n, n from generate_series(1, 50) n;
      create view public.t as select * from public.b`);
    await scenario.jobs(JOB('{ from: public.t, key: [k], changes: { by: snapshot } }'));
    expect((await scenario.run()).code).toBe(0);
    await source.query('insert into public.b values (1, 1), (2, 22)');
    for (const flags of [[], ['--repair'], []]) {
      const found = await verify(scenario, 'things', ...flags);
      expect(found.code).toBe(4);
      expect(found.stream()).toMatchObject({ different: 1, samples: [{ key: '2', fields: [{ field: 'v' }] }] });
    }
  });

  it('counts blanks at the end of a bpchar without length, in the databases', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    await scenario.source.query(`create table public.t (k int primary key, v bpchar); insert into public.t values (1, 'a '), (2, 'b')`);
    await scenario.jobs(JOB('{ from: public.t, changes: { by: snapshot } }'));
    expect((await scenario.run()).code).toBe(0);
    expect((await verify(scenario, 'things')).stream()).toMatchObject({ by: 'database', different: 0 });
    await scenario.target.query(`update public.t set v = 'a' where k = 1`);
    expect((await verify(scenario, 'things')).stream()).toMatchObject({ by: 'database', different: 1, samples: [{ key: '1' }] });
  });

  it('is warned of by the plan where policies hide rows from the role', { timeout: 120_000 }, async () => {
    const role = await createRole();
    const admin = await openScenario();
    await admin.source
      .query(`create table public.t (k int primary key, v int); insert into public.t select n, n from generate_series(1, 50) n;
      grant select on public.t to ${role.name}; grant usage on schema public to ${role.name}`);
    const scenario = await openScenario({ sourceUrl: role.url(admin.source.url) });
    await scenario.jobs(JOB('{ from: public.t, changes: { by: snapshot } }'));
    expect((await scenario.trueup('plan')).stdout).not.toContain('row level security');
    await admin.source.query('alter table public.t enable row level security; create policy few on public.t using (k > 2)');
    const planned = await scenario.trueup('plan');
    expect(planned.stdout).toContain('Policies of row level security decide which rows');
    await admin.source.drop();
  });
});
