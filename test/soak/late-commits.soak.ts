import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';
import { LOAD_TABLES, startLoad } from './late-commit-load.ts';
import { FENCELESS, POLLERS, losses, startPoller } from './late-commit-poller.ts';

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
    process.stdout.write(`${[load.counts, ...results].map((line) => JSON.stringify(line)).join('\n')}\n`);
    expect(losses(results.slice(0, POLLERS.length))).toEqual([]);
    // Were nothing lost without the fence, the check could not see a loss.
    expect(losses(results.slice(POLLERS.length))).toHaveLength(FENCELESS.length);
  });
});
