import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const MODULE = new URL('../../src/cli/young-generation.ts', import.meta.url).href;

/** Size of the young generation (MiB) after a good deal of work by objects of which many survive a while. */
async function sizeAfterWork(before: string): Promise<number> {
  const script = `${before}
    const { getHeapSpaceStatistics } = await import('node:v8');
    let kept = [];
    for (let round = 0; round < 60; round++) {
      for (let n = 0; n < 50_000; n++) kept.push({ n, list: [n] });
      kept = kept.slice(-100_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size / 2 ** 20);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  return Number(stdout);
}

describe('the young generation', () => {
  it('stops growing at what a run has a use for, and does not keep the process alive', async () => {
    const bounded = await sizeAfterWork(
      `const { boundYoungGeneration } = await import(${JSON.stringify(MODULE)}); boundYoungGeneration();`,
    );
    expect(bounded).toBeGreaterThan(4);
    expect(bounded).toBeLessThanOrEqual(32);
    expect(await sizeAfterWork('')).toBeGreaterThan(bounded);
  });
});
