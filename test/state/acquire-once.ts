import { isTrueupError } from '../../src/errors.ts';
import { isAlive, thisProcess } from '../../src/state/process-identity.ts';
import { openSqliteState } from '../../src/state/sqlite-state.ts';

/*
 * Asks for a job at a given moment and says what came of it: the epoch, or the code of the error. Lives until its standard input ends.
 */

const [file = '', atMs = '0'] = process.argv.slice(2);
const store = openSqliteState(file);
while (Date.now() < Number(atMs));
const outcome = await store
  .acquire({ job: 'orders', run: `run-${process.pid}`, process: thisProcess(), ttlMs: 60_000, isAlive }, new AbortController().signal)
  .then(
    (owner) => `epoch ${owner.epoch}`,
    (error: unknown) => (isTrueupError(error) ? error.code : String(error)),
  );
process.stdout.write(`${outcome}\n`);
process.stdin.resume();
