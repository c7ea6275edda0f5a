import { expect, it } from 'vitest';
import { FAULTS, runFaults } from 'trueup/testing/faults';
import { pair } from './pair.ts';

/** A planted loss, which must be found, and what a file can suffer in some seconds. All of them: `node test/faults.ts`. */
const CHOSEN = ['record-dropped', 'kill-anytime', 'extremes'];

it.each(CHOSEN)('keeps what it promises from file to file: %s', { timeout: 300_000 }, async (name) => {
  const outcomes = await runFaults({ pairs: [pair], faults: FAULTS.filter((fault) => fault.name === name), seed: 7, patience: 0 });
  expect(outcomes.map(({ fault, verdict, findings }) => ({ fault, verdict, findings }))).toEqual([
    { fault: name, verdict: 'kept', findings: [] },
  ]);
});
