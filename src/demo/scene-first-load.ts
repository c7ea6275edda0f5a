import type { Client } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoReport } from './demo-report.ts';
import { archiveRows, count, runFigures, seconds, valueOf } from './stage.ts';
import type { Stage } from './stage.ts';
import { runTrueup, spawnTrueup } from './trueup-child.ts';
import type { RunningTrueup } from './trueup-child.ts';

/** How much must be in the archive before the run is killed. */
const KILL_SHARE = 0.3;
const POLL_MS = 10;

/** A first load, killed in the middle, then the same command again. */
export async function firstLoadScene({ folder, size, story, signal, archive }: Stage): Promise<DemoReport['firstLoad']> {
  story.working('first load, until it is killed');
  const total = size.customers + size.orders;
  const first = spawnTrueup(['run'], folder, signal);
  await killWhen(first, async () => (await archiveRows(archive)) >= total * KILL_SHARE);
  await trueupGone(archive);
  const rowsAtKill = await archiveRows(archive);
  story.working('the same command again');
  const resumed = runFigures(await runTrueup(['run'], { cwd: folder, signal }));
  const readTwice = Math.max(0, rowsAtKill + resumed.read - total);
  const rowsPerSecond = Math.round((resumed.upserted * 1000) / resumed.durationMs);
  story.happened('First load, killed in the middle with kill -9', [
    `killed with ${count(rowsAtKill)} of ${count(total)} rows in the archive`,
    `same command again: ${count(resumed.upserted)} rows in ${seconds(resumed.durationMs)}, ${count(rowsPerSecond)} rows/s; ${count(readTwice)} rows were read that the archive had already`,
  ]);
  return { rowsAtKill, resumed: { ...resumed, rowsPerSecond }, readTwice };
}

/** @throws when the process ends by itself: then nothing was shown */
async function killWhen(child: RunningTrueup, isTime: () => Promise<boolean>): Promise<void> {
  let ended = false;
  const end = child.ended.finally(() => {
    ended = true;
  });
  end.catch(() => {});
  while (!ended && !(await isTime())) await sleep(POLL_MS);
  child.kill('SIGKILL');
  const { signal, code, document } = await end;
  if (signal === null)
    throw new Error(`the first load ended with exit code ${code} before it could be killed: ${JSON.stringify(document)}`);
}

/** Waits until the server has noticed that its client is gone: a commit may still have been under way. */
async function trueupGone(archive: Client): Promise<void> {
  const others = "select count(*)::int as value from pg_stat_activity where datname = 'archive' and application_name <> 'trueup demo'";
  for (let waited = 0; (await valueOf<number>(archive, others)) > 0; waited += POLL_MS) {
    if (waited > 10_000) throw new Error('connections of the killed run are still open after 10 s');
    await sleep(POLL_MS);
  }
}
