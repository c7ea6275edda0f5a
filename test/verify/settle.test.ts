import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/model/checkpoint.ts';
import type { Candidate, Seen } from '../../src/verify/candidate.ts';
import { settle } from '../../src/verify/settle.ts';

const never = new AbortController().signal;

/** A look: what both sides held, and whether that agrees. */
const agreed: Seen = { source: 'record', inTarget: true, fields: [], content: 'same' };
const differs = (content: string): Seen => ({ source: 'record', inTarget: true, fields: [0], content });
const absent = (content: string): Seen => ({ source: 'absent', inTarget: false, fields: [], content });

/** Runs looks from a script per key; the last one repeats. Checkpoints are numbered by when they were read. */
async function run(script: Readonly<Record<string, readonly Seen[]>>) {
  const candidates = Object.keys(script).map((key): Candidate => ({ key, source: [key], target: [key], seen: null }));
  const looks: string[][] = [];
  let read = 0;
  const settled = await settle(candidates, {
    look: async (some) => {
      looks.push(some.map(({ key }) => key));
      for (const candidate of some) candidate.seen = script[candidate.key]?.[looks.length - 1] ?? script[candidate.key]?.at(-1) ?? null;
    },
    checkpoints: async () => [{ run: String(++read) } as Checkpoint],
    signal: never,
    pauseMs: 0,
  });
  return { looks, settled: settled.map(({ candidate, checkpoints }) => [candidate.key, checkpoints[0]?.run]) };
}

describe('settling', () => {
  it('takes no difference for one before two looks in a row saw the same', async () => {
    expect(await run({ stays: [differs('a')] })).toEqual({ looks: [['stays'], ['stays']], settled: [['stays', '2']] });
  });

  it('drops what agreed once, or is on neither side any more', async () => {
    const { settled } = await run({ caughtUp: [differs('a'), agreed], gone: [differs('a'), absent('b')], stays: [differs('c')] });
    expect(settled.map(([key]) => key)).toEqual(['stays']);
  });

  it('looks again at what changed between two looks, and at nothing else', async () => {
    const { looks, settled } = await run({ moves: [differs('a'), differs('b'), differs('b')], stays: [differs('c')] });
    expect(looks).toEqual([['moves', 'stays'], ['moves', 'stays'], ['moves']]);
    expect(settled.map(([key]) => key)).toEqual(['stays', 'moves']);
  });

  it('asks checkpoints that were read before the first of the two looks that agreed', async () => {
    // Read 1 comes before everything, read n + 1 right before look n.
    const { settled } = await run({ moves: [differs('a'), differs('b'), differs('b')] });
    expect(settled).toEqual([['moves', '3']]);
  });

  it('ends with what changes all the time, as the last look saw it', async () => {
    const { looks, settled } = await run({ restless: Array.from({ length: 50 }, (_, n) => differs(String(n))) });
    expect(looks.length).toBe(8);
    expect(settled.map(([key]) => key)).toEqual(['restless']);
  });

  it('stops at once when it is asked to', async () => {
    const stop = new AbortController();
    const candidate: Candidate = { key: 'a', source: null, target: null, seen: null };
    const settling = settle([candidate], {
      look: async ([one]) => {
        if (one !== undefined) one.seen = differs('a');
        stop.abort(new Error('enough'));
      },
      checkpoints: async () => [],
      signal: stop.signal,
      pauseMs: 60_000,
    });
    await expect(settling).rejects.toThrow(/aborted/);
  });
});
