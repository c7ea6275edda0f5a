import { setTimeout as sleep } from 'node:timers/promises';
import { count, seconds } from '../stage.ts';
import { runTrueup, spawnTrueup } from '../trueup-child.ts';
import type { DocumentsReport } from './documents-report.ts';
import { startItemWriters } from './item-writers.ts';
import { TO_DOCUMENTS, runSums } from './stage.ts';
import type { DocumentsStage } from './stage.ts';

const WRITERS = 4;

/** Writers change, add, delete and move items and rename customers, while runs go, one of which is killed. */
export async function childrenScene(stage: DocumentsStage): Promise<DocumentsReport['changes']> {
  const { folder, size, story, signal } = stage;
  const run = () => runTrueup(['run', TO_DOCUMENTS], { cwd: folder, signal }).then(runSums);
  story.working(`${WRITERS} writers change items`);
  const writers = startItemWriters(await Promise.all(Array.from({ length: WRITERS }, () => stage.connect())), size.orders);
  await sleep(500, undefined, { signal });
  story.working('a run while they write, killed');
  const killed = spawnTrueup(['run', TO_DOCUMENTS], folder, signal);
  await sleep(1500, undefined, { signal });
  killed.kill('SIGKILL');
  const isKilled = (await killed.ended).signal !== null;
  story.working('a run while they write');
  const during = await run();
  const changes = await writers.stop();
  story.working('the run after them');
  const after = await run();
  const figures = {
    ...changes,
    killed: isKilled,
    upserted: during.upserted + after.upserted,
    durationMs: during.durationMs + after.durationMs,
  };
  story.happened(`Children change while runs go${isKilled ? ', and one run is killed' : ''}`, [
    `${WRITERS} writers: ${count(changes.changed)} items changed, ${count(changes.inserted)} added, ${count(changes.deleted)} deleted, ${count(changes.moved)} moved to another order, ${count(changes.renamed)} customers renamed`,
    `a run while they wrote and one after: ${count(figures.upserted)} documents written in ${seconds(figures.durationMs)}`,
  ]);
  return figures;
}
