import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const MODULE = new URL('../../src/cli/heap-growth.ts', import.meta.url).href;
const BOUND = `const { boundHeapGrowth } = await import(${JSON.stringify(MODULE)}); boundHeapGrowth();`;

async function printed(script: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  return Number(stdout);
}

/** Size of the young generation (MiB) after a good deal of work by objects of which many survive a while. */
function youngAfterWork(before: string): Promise<number> {
  return printed(`${before}
    const { getHeapSpaceStatistics } = await import('node:v8');
    let kept = [];
    for (let round = 0; round < 60; round++) {
      for (let n = 0; n < 50_000; n++) kept.push({ n, list: [n] });
      kept = kept.slice(-100_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size / 2 ** 20);`);
}

/** The most that was on the heap (MiB) while 12 MiB were in use, and replaced piece by piece long after each had become old. */
function peakOfOldGarbage(before: string): Promise<number> {
  return printed(`${before}
    const kept = [];
    let peak = 0;
    for (let round = 0; round < 1200; round++) {
      kept[round % 100] = Array.from({ length: 3000 }, (_, n) => [n + 0.5]).map(([n]) => n + 0.25);
      for (let n = 0; n < 100; n++) Array.from({ length: 100 }, () => ({ n }));
      peak = Math.max(peak, process.memoryUsage().heapTotal);
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(peak / 2 ** 20);`);
}

describe('the heap', () => {
  it('has a young generation that stops growing at what a run has a use for, and does not keep the process alive', async () => {
    const bounded = await youngAfterWork(BOUND);
    expect(bounded).toBeGreaterThan(4);
    expect(bounded).toBeLessThanOrEqual(32);
    expect(await youngAfterWork('')).toBeGreaterThan(bounded);
  });

  it('is collected before much old garbage has come together', async () => {
    const youngBounded = BOUND.replace(
      'boundHeapGrowth();',
      `boundHeapGrowth(); (await import('node:v8')).setFlagsFromString('--heap-growing-percent=0');`,
    );
    const [bounded, unbounded] = [await peakOfOldGarbage(BOUND), await peakOfOldGarbage(youngBounded)];
    expect(bounded).toBeLessThan(0.9 * unbounded);
  });
});
