import { expect, it } from 'vitest';
import { FAIL_POINTS } from '../../src/testing/faults/fail-points.ts';
import { FAULTS } from '../../src/testing/faults/faults.ts';
import { runFaults } from '../../src/testing/faults/run-faults.ts';
import type { FaultOutcome } from '../../src/testing/faults/run-faults.ts';
import { openTrial } from '../../src/testing/faults/trial.ts';
import { describeWithPostgres, serverUrl } from '../servers/postgres.ts';
import { POSTGRES_KINDS } from './postgres-kinds.ts';
import type { PostgresKind } from './postgres-kinds.ts';
import { postgresPair } from './postgres-pair.ts';

const seed = Number(process.env['TRUEUP_TEST_SEED'] ?? Date.now() % 100_000);
const [cursor] = POSTGRES_KINDS as readonly [PostgresKind];

const planted = (name: string): string => new URL(`./fixtures/${name}.ts`, import.meta.url).href;

async function tryOne(fault: string, options: { readonly target?: string; readonly patience?: number } = {}): Promise<FaultOutcome> {
  const { target, patience = 1 } = options;
  const pair = postgresPair({
    kind: cursor,
    serverUrl: serverUrl(),
    lacks: {},
    ...(target === undefined ? {} : { targetConnector: planted(target) }),
  });
  const [outcome] = await runFaults({ pairs: [pair], faults: FAULTS.filter(({ name }) => name === fault), seed, patience });
  return outcome ?? expect.unreachable(`there is no fault '${fault}'`);
}

/** A short selection of `npm run faults`, and what the kit is worth: that it notices. */
describeWithPostgres(`faults (seed ${seed})`, { timeout: 240_000 }, () => {
  it.each(['batch-twice', 'record-dropped'])('%s: kept', async (fault) => {
    expect(await tryOne(fault)).toMatchObject({ findings: [], verdict: 'kept' });
  });

  it('kill-steps, in a short form: kept, and something was killed', async () => {
    const outcome = await tryOne('kill-steps', { patience: 0 });
    expect(outcome).toMatchObject({ findings: [], verdict: 'kept' });
    expect(outcome.counts?.killed).toBeGreaterThan(8);
  });

  it('notices a target whose checkpoint is durable before its rows', async () => {
    const outcome = await tryOne('kill-steps', { target: 'early-checkpoint', patience: 0 });
    expect(outcome.verdict).toBe('not kept');
    expect(outcome.findings.join('\n')).toMatch(/\d+ missing/);
  });

  it('reaches no step that is not in the list of fail points', async () => {
    const pair = postgresPair({ kind: cursor, serverUrl: serverUrl(), lacks: {} });
    const trial = await openTrial({ pair, needs: [], seed, records: 50 });
    try {
      const first = await trial.run();
      await trial.change();
      const second = await trial.run();
      const seen = new Set([...first.steps, ...second.steps].map((step) => step.point));
      expect([...seen].filter((point) => !(point in FAIL_POINTS))).toEqual([]);
      for (const point of ['source.batch', 'lane.bulkUpsert', 'lane.commit', 'store.acquire', 'target.apply'])
        expect(seen).toContain(point);
    } finally {
      await trial.close();
    }
  });
});
