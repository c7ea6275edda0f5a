import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

/** Each leaves something in the target that the source does not have. A row that is stamped in the future is read again by every run. */
const STREAMS = {
  ignored: 'deletes: { when: gone }, onDelete: ignore',
  left: 'where: "v < 100", onDelete: ignore',
  staying: 'where: "v < 100", onExit: keep',
};

describeWithPostgres('verify of what a policy keeps', () => {
  it('counts it as kept and not as extra or pending, also where the next run reads it again', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    for (const name of Object.keys(STREAMS))
      await scenario.source.query(
        `create table public.${name} (id int primary key, v int, gone boolean, updated_at timestamptz default now()); create index on public.${name} (updated_at, id); insert into public.${name} select n, n from generate_series(1, 10) as n`,
      );
    const streams = Object.entries(STREAMS).map(
      ([name, more]) => `      - { from: public.${name}, changes: { by: cursor, field: updated_at }, ${more} }\n`,
    );
    await scenario.jobs(`\n  all:\n    source: shop\n    target: copy\n    streams:\n${streams.join('')}`);
    expect((await scenario.run()).code).toBe(0);
    for (const name of Object.keys(STREAMS)) {
      await scenario.source.query(`update public.${name} set gone = true, v = v + 100, updated_at = now() where id <= 2`);
      await scenario.source.query(`update public.${name} set gone = true, v = v + 100, updated_at = 'infinity' where id = 3`);
    }
    expect((await scenario.run()).code).toBe(0);
    const verified = await verify(scenario, 'all');
    for (const name of Object.keys(STREAMS))
      expect(verified.stream(`public.${name}`)).toMatchObject({ missing: 0, extra: 0, different: 0, explained: { kept: 3, pending: 0 } });
    expect(verified.code).toBe(0);
  });
});
