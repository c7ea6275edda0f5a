import { TrueupError } from '../../errors.ts';
import { digestSides } from '../../reconcile/compare.ts';
import { listExtras, stillThere } from './compare-extras.ts';
import type { Extra } from './compare-extras.ts';
import { isTooMany, shareText } from './delete-share.ts';
import type { ComparePlan } from './compare-plan.ts';
import { openSides, storedKeyTypes } from './compare-sides.ts';
import type { StreamSides } from './compare-sides.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { deleteTargetKeys } from './delete-target-keys.ts';
import type { Surplus } from './find-differences.ts';
import { hydrateKeys } from '../letters/hydrate-letters.ts';
import { carriersKey } from '../write/write-batch.ts';

/**
 * Deletes what only the target has, each record only after the source was asked for it once more: one that came back meanwhile, or was delivered after
 * the source had been read, is written as it is.
 *
 * @throws {TrueupError} `E_DELETES`, with nothing deleted, when that is more than the plan allows
 */
export async function deleteExtras(run: FeedRun, stream: StreamRun, plan: ComparePlan, surplus: Surplus): Promise<void> {
  if (surplus.count === 0 || stream.planned.target.onDelete === 'ignore') return;
  refuseTooMany(stream, plan, surplus);
  const { stop: signal } = run.signals;
  const open = await openSides(run, stream, plan);
  if (surplus.extras !== null) return deleteSome(run, stream, { open, extras: surplus.extras });
  const digests = await digestSides({ source: open.source, target: open.target, signal });
  let count = 0;
  for await (const extras of listExtras({ run, stream, open, digests, signal })) {
    count += extras.length;
    // The source was read again, and may have lost more since.
    refuseTooMany(stream, plan, { count, records: digests.records }, count - extras.length);
    await deleteSome(run, stream, { open, extras });
  }
}

/** `maxShare` guards against a source that is empty, or not the one that was meant. @param done how many of them were deleted already */
export function refuseTooMany(stream: StreamRun, plan: ComparePlan, { count, records }: Omit<Surplus, 'extras'>, done = 0): void {
  const { name, target } = stream.planned;
  if (!isTooMany(count, records, plan)) return;
  const what = plan.scope === null ? 'records' : 'records within the scope';
  const empty = records.source === 0 ? ' The source has no records at all.' : '';
  throw new TrueupError(
    'E_DELETES',
    `stream '${name}': ${count} of ${records.target} ${what} of target '${target.target}' are not in the source (${shareText(count, records.target)}), and at most ${Math.round(plan.maxShare * 1e4) / 100} % may be deleted at once (deletes.compare.maxShare).${empty} ${done === 0 ? 'Nothing was deleted' : `Of those, ${done} were deleted, then it stopped`}`,
    { hint: 'Check that the source is whole, and shows this user every row; raise maxShare for one run when the deletes are meant.' },
  );
}

interface Some {
  readonly open: StreamSides;
  readonly extras: readonly Extra[];
}

async function deleteSome(run: FeedRun, stream: StreamRun, { open, extras }: Some): Promise<void> {
  const keys = extras.flatMap(({ source }) => (source === null ? [] : [carriersKey(stream, source)]));
  await hydrateKeys(run, stream, keys);
  const unknown = extras.filter((extra) => extra.source === null);
  if (unknown.length === 0) return;
  // The source cannot be asked for these by key. Whatever it delivers later is delivered after this: its changes were read to the end before.
  const keeps = stream.planned.mapping.onExit === 'keep';
  const there = await stillThere(unknown, keeps ? open.sourceWithFiltered : open.source, run.signals.stop);
  const gone = unknown.filter((extra) => !there.has(extra.key));
  await deleteTargetKeys(run, stream, { types: storedKeyTypes(open.expected), keys: gone.map((extra) => extra.target) });
}
