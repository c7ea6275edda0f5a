import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { LOG_LOAD_TABLES, startLogLoad } from './log-load.ts';
import { randomKills } from './random-kills.ts';
import { expectEqualTables, openScenario, ranOf } from './scenario.ts';

const KILLS = 20;

describeWithPostgres('the log under writers and kills', () => {
  it(
    '8 writers with long, prepared and rolled back transactions, 20 SIGKILLs from the first load on: equal at the end, every delete included',
    { timeout: 240_000 },
    async () => {
      const scenario = await openScenario();
      await scenario.source.query(LOG_LOAD_TABLES);
      await scenario.jobs(
        `\n  load:\n    source: shop\n    target: copy\n    streams:\n      - { from: public.parents, changes: { by: log }, backfill: { partitions: 4 } }\n      - { from: public.children, changes: { by: log } }\n`,
        'defaults: { batch: { rows: 500 } }\n',
      );
      const load = await startLogLoad(scenario.source, 8, 3000);
      const kills = randomKills();
      while (kills.fell < KILLS) {
        const running = scenario.start(['run', ...(kills.fell % 2 === 0 ? ['--follow'] : []), '--json', '--log-level', 'error']);
        const exit = await kills.kill(running);
        if (exit.signal === null) expect(ranOf(exit).code).toBe(0);
      }
      await load.stop();
      const { counts } = load;
      for (const count of [counts.deletes, counts.moves, counts.prepared, counts.savepoints, counts.rollbacks, counts.long])
        expect(count).toBeGreaterThan(0);
      const last = await scenario.run();
      expect(last.stderr).toBe('');
      expect(last.code).toBe(0);
      await expectEqualTables(scenario, 'public.parents');
      await expectEqualTables(scenario, 'public.children');
      const verified = await scenario.trueup('verify', 'load', '--json');
      expect(verified.code).toBe(0);
    },
  );
});
