import { setTimeout as sleep } from 'node:timers/promises';
import { count, seconds } from '../stage.ts';
import { runTrueup, spawnTrueup } from '../trueup-child.ts';
import type { DocumentsReport } from './documents-report.ts';
import { TO_DOCUMENTS, runSums } from './stage.ts';
import type { DocumentsStage } from './stage.ts';

/** How much must be in MongoDB before the run is killed. */
const KILL_SHARE = 0.3;
const POLL_MS = 10;

/** Rows become documents, a run is killed in the middle, and the same command goes on. */
export async function loadScene({ folder, size, story, signal, mongo }: DocumentsStage): Promise<DocumentsReport['firstLoad']> {
  const orders = mongo.client.db().collection('orders');
  story.working('first load, until it is killed');
  const first = spawnTrueup(['run', TO_DOCUMENTS], folder, signal);
  let ended = false;
  const end = first.ended.finally(() => (ended = true));
  end.catch(() => {});
  while (!ended && (await orders.estimatedDocumentCount()) < size.orders * KILL_SHARE) await sleep(POLL_MS);
  first.kill('SIGKILL');
  const result = await end;
  if (result.signal === null)
    throw new Error(`the first load ended with exit code ${result.code} before it could be killed: ${JSON.stringify(result.document)}`);
  const documentsAtKill = await orders.estimatedDocumentCount();
  story.working('the same command again');
  const { upserted, durationMs } = runSums(await runTrueup(['run', TO_DOCUMENTS], { cwd: folder, signal }));
  story.happened('Rows become documents: orders with their items and their customer, killed in the middle with kill -9', [
    `killed with ${count(documentsAtKill)} of ${count(size.orders)} documents in MongoDB`,
    `same command again: ${count(upserted)} documents in ${seconds(durationMs)}`,
  ]);
  return { documentsAtKill, upserted, durationMs };
}
