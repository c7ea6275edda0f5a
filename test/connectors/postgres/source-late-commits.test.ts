import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { LOAD_TABLES, startLoad } from '../../soak/late-commit-load.ts';
import { FENCELESS, POLLERS, losses, startPoller } from '../../soak/late-commit-poller.ts';

const LOAD_MS = 12_000;

/** The short form of `npm run soak`. */
describeWithPostgres('connectors: postgres, late commits', () => {
  it('loses no row and no update while transactions commit late, whatever the method, and without the fence it does', async () => {
    const database = await createDatabase('late');
    await database.query(LOAD_TABLES);
    const pollers = [...POLLERS, ...FENCELESS].map((spec) => startPoller(database, spec));
    const load = await startLoad(database, { writers: 8, longestMs: 3000 });
    await sleep(LOAD_MS);
    await load.stop();
    const results = await Promise.all(pollers.map((poller) => poller.finish()));
    expect(losses(results.slice(0, POLLERS.length))).toEqual([]);
    // Were nothing lost without the fence, the check could not see a loss.
    expect(losses(results.slice(POLLERS.length))).toHaveLength(FENCELESS.length);
    expect(load.counts.long).toBeGreaterThan(0);
    expect(load.counts.prepared).toBeGreaterThan(0);
  }, 90_000);
});
