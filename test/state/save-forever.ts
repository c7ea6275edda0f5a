import { isAlive, thisProcess } from '../../src/state/process-identity.ts';
import { openSqliteState } from '../../src/state/sqlite-state.ts';
import { checkpointOf, letterOf } from '../../src/testing/owners.ts';

/*
 * Saves two checkpoints and a letter with the same number, again and again, and says each number once it is durable.
 */

const [file = '', first = '1'] = process.argv.slice(2);
const signal = new AbortController().signal;
const store = openSqliteState(file);
const owner = await store.acquire({ job: 'orders', run: `run-${process.pid}`, process: thisProcess(), ttlMs: 3_600_000, isAlive }, signal);
for (let number = Number(first); ; number++) {
  const checkpoints = ['changes:a', 'changes:b'].map((feed) => checkpointOf(owner, feed, { number, pad: 'x'.repeat(number % 5000) }));
  await store.save(owner, { checkpoints, letters: [letterOf(owner, 'the letter', { payload: number })] }, signal);
  process.stdout.write(`${number}\n`);
}
