import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';
import { LOAD_TABLES, startLoad } from './late-commit-load.ts';
import { FENCELESS, POLLERS, startPoller } from './late-commit-poller.ts';

const LOAD_MS = Number(process.env['TRUEUP_SOAK_SECONDS'] ?? 120) * 1000;

describeWithPostgres('late commits, the long form', () => {
  it('loses nothing under minutes of mixed load, and without the fence it does', async () => {
    const database = await createDatabase('soak');
    await database.query(LOAD_TABLES);
    const pollers = [...POLLERS, ...FENCELESS].map((spec) => startPoller(database, spec));
    const load = await startLoad(database, { writers: 8, longestMs: 4000 });
    await sleep(LOAD_MS);
    await load.stop();
    const results = await Promise.all(pollers.map((poller) => poller.finish()));
    console.log('load', load.counts);
    console.table(results);
    const [fenced, fenceless] = [results.slice(0, POLLERS.length), results.slice(POLLERS.length)];
    for (const result of fenced) expect({ ...result, missing: 0, stale: 0 }, result.name).toEqual(result);
    for (const result of fenceless)
      expect(result.missing + result.stale, `${result.name} lost nothing: the check cannot see a loss`).toBeGreaterThan(0);
  });
});
