import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithPostgres, startOwnPostgres } from '../servers/postgres.ts';
import { withClient } from '../servers/postgres-admin.ts';
import { createOracle } from './random/oracle.ts';
import { generatePlan, targetFields } from './random/plan.ts';
import type { TablePlan } from './random/plan.ts';
import { seeded } from './random/prng.ts';
import { runScenario } from './random/run-scenario.ts';
import { openRandomScenario } from './random/scenario.ts';
import type { Servers } from './random/scenario.ts';
import { ident } from './random/sql.ts';
import { full } from './random/statements.ts';

/** The short form; `npm run soak -- random` goes on for minutes with seeds of its own. */
describeWithPostgres('random tables, mappings, work and faults, the short form', () => {
  let servers: Servers;
  beforeAll(async () => {
    const server = await startOwnPostgres();
    servers = { source: server, target: server };
  });
  afterAll(() => servers.source.stop());

  it('draw the same scenario from the same seed', () => {
    const plan = (seed: number) => JSON.stringify(generatePlan(seed, seeded(seed).fork('plan')));
    expect(plan(11)).toBe(plan(11));
    expect(plan(11)).not.toBe(plan(12));
  });

  it('leave the target as SQL computes it from the source, and verify agrees', { timeout: 180_000 }, async () => {
    const report = await runScenario({ seed: 27, servers, rounds: 1 });
    expect(report.work.transactions).toBeGreaterThan(5);
    expect(report.rows).toBeGreaterThan(0);
  });

  it('notice one row that is altered, lost or made up', { timeout: 120_000 }, async () => {
    const plan = generatePlan(13, seeded(13).fork('plan'));
    await using scenario = await openRandomScenario({ servers, plan, random: seeded(13) });
    const { source, target } = scenario;
    const ran = await scenario.start(['run', '--json']).waitForExit(60_000);
    expect(ran).toMatchObject({ code: 0 });
    const table = plan.tables[0] as TablePlan;
    const copy = `public.${ident(table.target)}`;
    const field = ident(targetFields(table).find(({ inKey, computed, reads }) => !inKey && !computed && reads.length > 0)?.name ?? '');
    const key = table.key.map(({ name }) => ident(name)).join(', ');
    const check = () => createOracle(plan, source.url, target.url).check();
    const [checked] = await check();
    expect(checked?.rows).toBeGreaterThan(10);
    const expectNoticed = async (fault: string, mend: string) => {
      await withClient(target.url, (client) => client.query(`create table public.kept as select * from ${copy}; ${fault}`));
      await expect(check()).rejects.toThrow(/ 1 rows of the target are not what SQL computes/);
      await withClient(target.url, (client) => client.query(`${mend}; drop table public.kept`));
    };
    const mend = `delete from ${copy}; insert into ${copy} select * from public.kept`;
    await expectNoticed(
      `update ${copy} set ${field} = null where ctid = (select ctid from ${copy} where ${field} is not null limit 1)`,
      mend,
    );
    await expectNoticed(`delete from ${copy} where ctid = (select ctid from ${copy} limit 1)`, mend);
    await check();
    // One that the source never had: of a key that was given to nobody.
    await withClient(source.url, (client) =>
      client.query(
        `delete from audit.${ident(table.name)}; alter table ${full(table)} disable trigger all; delete from ${full(table)} where (${key}) in (select ${key} from ${full(table)} where ${table.where?.sql ?? 'true'} limit 1)`,
      ),
    );
    await expect(check()).rejects.toThrow(/not in the source/);
  });
});
