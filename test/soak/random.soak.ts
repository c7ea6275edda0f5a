import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOwnPostgres } from '../servers/postgres.ts';
import { runScenario } from './random/run-scenario.ts';
import type { Servers } from './random/scenario.ts';

const MS = Number(process.env['TRUEUP_SOAK_SECONDS'] ?? 180) * 1000;
const only = process.env['SEED'];
const first = only === undefined ? Date.now() % 1_000_000 : Number(only);

describe(`random tables, mappings, work and faults (from seed ${first})`, () => {
  let servers: Servers;
  beforeAll(async () => {
    servers = { source: await startOwnPostgres(), target: await startOwnPostgres() };
  });
  afterAll(async () => {
    await servers.source.stop();
    await servers.target.stop();
  });

  it('leave the target as SQL computes it from the source', async () => {
    const end = Date.now() + MS;
    for (let seed = first; seed === first || (only === undefined && Date.now() < end); seed += 1) {
      const report = await runScenario({ seed, servers, rounds: 3 });
      process.stdout.write(`${JSON.stringify(report)}\n`);
    }
  });

  it('notice what a source without its fence loses', async (context) => {
    if (only !== undefined) return context.skip('one seed alone was asked for');
    const connector = fileURLToPath(new URL('fixtures/fenceless-postgres.ts', import.meta.url));
    const lost = async (seed: number): Promise<boolean> =>
      runScenario({ seed, servers, rounds: 3, connector }).then(
        () => false,
        (error: unknown) => /rows of the target are not what SQL computes/.test(String(error)),
      );
    let noticed = false;
    for (let seed = first; !noticed && seed < first + 5; seed += 1) noticed = await lost(seed);
    expect(noticed).toBe(true);
  });
});
