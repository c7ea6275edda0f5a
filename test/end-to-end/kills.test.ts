import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { randomKills } from './random-kills.ts';
import { expectEqualTables, openScenario, ranOf, seedOrders } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const ROWS = 40_000;

/** Small batches, so that a kill falls into the middle of something. */
const JOB = `
  orders:
    source: shop
    target: copy
    streams:
      - from: public.orders
        changes: { by: cursor, field: updated_at }
        backfill: { partitions: 4 }
`;
const SMALL_BATCHES = 'defaults: { batch: { rows: 400 } }\n';

/** Starts a command, whose end is a kill unless it is quicker. */
const start = (scenario: Scenario, ...args: readonly string[]) => scenario.start([...args, '--json', '--log-level', 'error']);

/** mulberry32: the seed is in the test's name and in its failure. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Rows that trueup wrote to the target, counted by a trigger: what is written twice is counted twice. */
async function countWrites(scenario: Scenario): Promise<() => Promise<number>> {
  await scenario.target.query(`
    create table if not exists public.writes (n bigint);
    create or replace function public.count_write() returns trigger language plpgsql as $$ begin insert into public.writes values (1); return null; end $$;
    create or replace trigger count_write after insert or update on public.orders for each row execute function public.count_write()`);
  return async () => Number((await scenario.target.query<{ n: string }>('select count(*) as n from public.writes'))[0]?.n);
}

const seed = Number(process.env['TRUEUP_TEST_SEED'] ?? Date.now() % 100_000);

describeWithPostgres(`kill -9 at random instants (seed ${seed})`, () => {
  it('of a first load: nothing is lost, nothing is written twice, parts resume where they stopped', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    const kills = randomKills(seeded(seed));
    await seedOrders(scenario.source, ROWS);
    await scenario.jobs(JOB, SMALL_BATCHES);
    expect((await scenario.trueup('plan', '--apply')).code).toBe(0);
    const writes = await countWrites(scenario);
    for (let kill = 0; kill < 7; kill += 1) await kills.kill(start(scenario, 'run'));
    const before = await writes();
    const last = await scenario.run();
    expect(last.code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
    expect(kills.fell).toBeGreaterThan(0);
    // Committed rows were committed with their checkpoint, so none is ever written again.
    expect(await writes()).toBe(ROWS);
    if (before > 0 && before < ROWS) expect(last.stream('public.orders').upserted).toBe(ROWS - before);
  });

  it('of incremental runs while the source goes on changing', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    const kills = randomKills(seeded(seed + 1));
    await seedOrders(scenario.source, ROWS);
    await scenario.jobs(JOB, SMALL_BATCHES);
    expect((await scenario.run()).code).toBe(0);
    for (let kill = 0; kill < 6; kill += 1) {
      await scenario.source.query(`update public.orders set total = total + 1, updated_at = clock_timestamp() where id % 4 = ${kill % 4}`);
      await kills.kill(start(scenario, 'run'));
    }
    const last = await scenario.run();
    expect(last.code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });

  it('of a backfill of a live stream', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    const kills = randomKills(seeded(seed + 2));
    await seedOrders(scenario.source, ROWS);
    await scenario.jobs(JOB, SMALL_BATCHES);
    expect((await scenario.run()).code).toBe(0);
    // Damage that no cursor can see, which only a backfill mends.
    await scenario.target.query(`update public.orders set note = 'damaged' where id % 7 = 0; delete from public.orders where id % 11 = 0`);
    for (let kill = 0; kill < 7; kill += 1) {
      await scenario.source.query(`update public.orders set total = total + 1, updated_at = clock_timestamp() where id % 50 = ${kill}`);
      await kills.kill(start(scenario, 'backfill', 'orders'));
    }
    const last = ranOf(await scenario.trueup('backfill', 'orders', '--json'));
    expect(last.code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });
});
