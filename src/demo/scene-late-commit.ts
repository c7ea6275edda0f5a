import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoReport } from './demo-report.ts';
import { openLateCommit, startWriters } from './shop-writers.ts';
import { count, runFigures, seconds, valueOf } from './stage.ts';
import type { Stage } from './stage.ts';
import { runTrueup } from './trueup-child.ts';

const WRITERS = 4;

/**
 * Writers at work and a long transaction open, an incremental run; then the transaction commits, with stamps below what was read. A cursor
 * that asks for `updated_at > newest` never finds its rows. The next run must.
 */
export async function lateCommitScene(stage: Stage): Promise<Pick<DemoReport, 'lateCommit' | 'incremental'>> {
  const { folder, size, story, signal, servers, shop, archive } = stage;
  const run = async () => runFigures(await runTrueup(['run'], { cwd: folder, signal }));
  story.working(`${WRITERS} writers and a long transaction`);
  const clients = await Promise.all(Array.from({ length: WRITERS }, () => servers.connect('shop')));
  const writers = startWriters(clients, size.orders);
  await sleep(300, undefined, { signal });
  const late = await openLateCommit(await servers.connect('shop'));
  await sleep(1000, undefined, { signal });
  story.working('an incremental run while they write');
  const whileWriting = await run();
  const lateRowsInArchive = () =>
    valueOf<number>(archive, 'select count(*)::int as value from orders where id % 400 = 7 and updated_at = $1', [late.stamp]);
  const newestBefore = await valueOf<string>(archive, 'select max(updated_at)::text as value from orders');
  const inArchiveBefore = await lateRowsInArchive();
  await late.commit();
  const plainCursor = 'select count(*)::int as value from orders where updated_at > $1 and updated_at = $2';
  const foundByPlainCursor = await valueOf<number>(shop, plainCursor, [newestBefore, late.stamp]);
  await sleep(300, undefined, { signal });
  const written = await writers.stop();
  story.working('the next run');
  const afterwards = await run();
  const inArchiveAfter = await lateRowsInArchive();
  story.happened(`Incremental runs while ${WRITERS} writers write`, [
    `${count(written.transactions)} transactions changed ${count(written.updated)} orders and added ${count(written.inserted)}`,
    `run while they wrote: ${count(whileWriting.upserted)} rows written in ${seconds(whileWriting.durationMs)}`,
    `then a transaction committed that had stamped ${count(late.rows)} orders before that run: "updated_at > newest" finds ${count(foundByPlainCursor)} of them`,
    `next run: ${count(afterwards.upserted)} rows written in ${seconds(afterwards.durationMs)}, ${count(inArchiveAfter)} of the ${count(late.rows)} late rows among them`,
    `(it looked at ${count(afterwards.read)}: what was written beside an open transaction is looked at again, and left alone where it is the same)`,
  ]);
  return {
    lateCommit: { rows: late.rows, stamp: late.stamp, newestBefore, foundByPlainCursor, inArchiveBefore, inArchiveAfter },
    incremental: { ...written, whileWriting, afterwards },
  };
}
