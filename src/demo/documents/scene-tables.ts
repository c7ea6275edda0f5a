import { count, seconds, valueOf } from '../stage.ts';
import { runTrueup } from '../trueup-child.ts';
import type { DocumentsReport } from './documents-report.ts';
import { TO_TABLES, runSums } from './stage.ts';
import type { DocumentsStage } from './stage.ts';

/** Documents become rows of two tables again, in a database of their own. */
export async function tablesScene({ folder, story, signal, copy }: DocumentsStage): Promise<DocumentsReport['tables']> {
  story.working('documents become rows');
  const { durationMs } = runSums(await runTrueup(['run', TO_TABLES], { cwd: folder, signal }));
  const [orders, items] = [await rows(copy, 'orders'), await rows(copy, 'order_items')];
  story.working('verify');
  const { consistent } = (await runTrueup(['verify', TO_TABLES], { cwd: folder, signal })) as { readonly consistent: boolean };
  story.happened('Documents become rows again: each order, and each of its items', [
    `${count(orders)} orders and ${count(items)} items in ${seconds(durationMs)}`,
    `verify: ${consistent ? 'consistent' : 'NOT consistent'}`,
  ]);
  return { orders, items, durationMs, verified: consistent };
}

function rows(copy: DocumentsStage['copy'], table: string): Promise<number> {
  return valueOf<number>(copy, `select count(*)::int as value from ${table}`);
}
