import type { Document } from 'mongodb';
import { count, seconds } from '../stage.ts';
import { runTrueup } from '../trueup-child.ts';
import { documentText } from './compare-sides.ts';
import type { DocumentsReport } from './documents-report.ts';
import { TO_DOCUMENTS } from './stage.ts';
import type { DocumentsStage } from './stage.ts';

interface PrintedVerify {
  readonly durationMs: number;
  readonly streams: readonly {
    readonly compared: { readonly source: number; readonly target: number };
    readonly missing: number;
    readonly extra: number;
    readonly different: number;
    readonly repaired: number;
  }[];
}

interface PrintedWhy {
  readonly verdict: string;
  readonly fields: readonly { readonly field: string; readonly equal: boolean }[];
}

/** Children of three documents are changed by hand; verify finds them, why explains one, a repair writes these and no other. */
export async function damageScene({ folder, story, signal, mongo }: DocumentsStage): Promise<DocumentsReport['proof']> {
  const orders = mongo.client.db().collection('orders');
  const chosen = await orders
    .find({ 'items.1': { $exists: true } })
    .sort({ _id: 1 })
    .skip(1000)
    .limit(3)
    .toArray();
  const ids = chosen.map(({ _id }) => _id);
  const [wrongNumber, tooMany, wrongOrder] = ids;
  const lookedAt = String(wrongNumber);
  const texts = async () =>
    (
      await orders
        .find({ _id: { $in: ids } })
        .sort({ _id: 1 })
        .toArray()
    ).map(documentText);
  const trueup = (args: readonly string[], expect = 0) => runTrueup(args, { cwd: folder, signal, expect });
  const before = await texts();
  story.working('damaging documents by hand');
  const items = '$items';
  const set = (_id: unknown, value: object) => orders.updateOne({ _id } as Document, [{ $set: { items: value } }]);
  await orders.updateOne({ _id: wrongNumber } as Document, { $inc: { 'items.0.quantity': 1 } });
  await set(tooMany, { $concatArrays: [items, [{ $first: items }]] });
  await set(wrongOrder, { $reverseArray: items });
  story.working('verify');
  const found = (await trueup(['verify', TO_DOCUMENTS], 4)) as PrintedVerify;
  const why = (await trueup(['why', TO_DOCUMENTS, 'public.orders', lookedAt], 4)) as PrintedWhy;
  story.working('verify --repair');
  const mended = (await trueup(['verify', TO_DOCUMENTS, '--repair'])) as PrintedVerify;
  const after = await texts();
  const sum = (of: (stream: PrintedVerify['streams'][number]) => number, report: PrintedVerify) =>
    report.streams.reduce((total, one) => total + of(one), 0);
  const figures = {
    damaged: ids.length,
    found: sum(({ missing, extra, different }) => missing + extra + different, found),
    repaired: sum(({ repaired }) => repaired, mended),
    why: { key: lookedAt, verdict: why.verdict, field: why.fields.find(({ equal }) => !equal)?.field ?? '' },
    restored: after.filter((text, index) => text === before[index]).length,
  };
  story.happened(`Children of ${figures.damaged} documents damaged by hand: a wrong number, one too many, the wrong order`, [
    `verify compared ${count(sum(({ compared }) => compared.source, found))} documents with what the shop holds in ${seconds(found.durationMs)}: ${figures.found} different`,
    `why ${lookedAt}: ${why.verdict}, by ${figures.why.field}`,
    `verify --repair: ${figures.repaired} documents repaired, ${figures.restored} as they were before`,
  ]);
  return figures;
}
