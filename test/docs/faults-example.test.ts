import { expect, it, vi } from 'vitest';
import { pair } from '../../docs/examples/faults.ts';
import { FAULTS } from '../../src/testing/faults/faults.ts';
import { runFaults } from '../../src/testing/faults/run-faults.ts';
import { describeWithPostgres, serverUrl } from '../servers/postgres.ts';

const CHOSEN = ['record-dropped', 'answer-lost'];

describeWithPostgres('the example pair of docs/faults.md', () => {
  it('goes through the kit as a pair of somebody else', { timeout: 240_000 }, async () => {
    vi.stubEnv('COPY_URL', serverUrl());
    const outcomes = await runFaults({ pairs: [pair], faults: FAULTS.filter(({ name }) => CHOSEN.includes(name)), seed: 5, patience: 0 });
    vi.unstubAllEnvs();
    expect(outcomes.map(({ fault, findings, verdict }) => ({ fault, findings, verdict }))).toEqual(
      CHOSEN.map((fault) => ({ fault, findings: [], verdict: 'kept' })),
    );
  });
});
