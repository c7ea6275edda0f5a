import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoReport } from './demo-report.ts';
import { count, valueOf } from './stage.ts';
import type { Stage } from './stage.ts';
import { runTrueup, spawnTrueup } from './trueup-child.ts';

const ROWS = 5_000;
const DELETED = 500;
const CONFIG = 'log.yaml';
const JOB = 'reservations';
const PATIENCE_MS = 30_000;

/** A table that is read from the log of its server, by a run that follows: rows are deleted, and go in the archive. A cursor would never know. */
export async function deletesScene(stage: Stage): Promise<DemoReport['deletes']> {
  const { folder, story, signal, servers, shop, archive } = stage;
  story.working('a run that follows the log');
  await writeFile(
    join(folder, CONFIG),
    `# A table that is read from the log of its server: \`trueup run --config ${CONFIG} --follow\`.

connections:
  shop:    { connector: postgres, url: "${servers.urls.shop}" }
  archive: { connector: postgres, url: "${servers.urls.archive}" }

jobs:
  ${JOB}:
    source: shop
    target: archive
    streams:
      - { from: public.reservations, changes: { by: log } }
`,
  );
  await shop.query(`create table reservations (id integer primary key, seat text not null);
    insert into reservations select i, 'seat ' || i from generate_series(1, ${ROWS}) i`);
  await runTrueup(['run', '--config', CONFIG], { cwd: folder, signal });
  const running = spawnTrueup(['run', '--follow', '--config', CONFIG], folder, signal);
  const left = () => valueOf<number>(archive, 'select count(*)::int as value from reservations');
  // The slot is read from: the run has begun to wait.
  await until(
    async () => (await valueOf<number>(shop, 'select count(*)::int as value from pg_replication_slots where active')) > 0,
    signal,
  );
  await shop.query(`delete from reservations where id % ${ROWS / DELETED} = 7`);
  const begun = performance.now();
  await until(async () => (await left()) === ROWS - DELETED, signal);
  const arrivedMs = Math.round(performance.now() - begun);
  running.kill('SIGTERM');
  await running.ended;
  await runTrueup(['checkpoint', 'drop', JOB, '--config', CONFIG], { cwd: folder, signal });
  story.happened('Deletes, from the log', [
    `${count(DELETED)} of ${count(ROWS)} reservations were deleted in the shop, and gone from the archive ${count(arrivedMs)} ms after the commit`,
  ]);
  return { rows: ROWS, deleted: DELETED, left: await left(), arrivedMs };
}

async function until(isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(10, undefined, { signal }))
    if (await isSo()) return;
  throw new Error('what was deleted in the shop is still in the archive');
}
