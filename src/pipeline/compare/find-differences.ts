import { cellToText } from '../../model/cell-text.ts';
import type { Cell } from '../../model/cell.ts';
import type { Reject } from '../../model/contracts.ts';
import type { Shape } from '../../model/shape.ts';
import { digestSides } from '../../reconcile/compare.ts';
import type { Difference } from '../../reconcile/compare.ts';
import { commitFeed } from '../write/commit.ts';
import { listExtras } from './compare-extras.ts';
import type { Extra } from './compare-extras.ts';
import type { ComparePlan } from './compare-plan.ts';
import { openSides } from './compare-sides.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { hydrateKeys } from '../letters/hydrate-letters.ts';
import { carriersKey, setRejectsAside } from '../write/write-batch.ts';

/** What the target has too much, as one comparison found it. */
export interface Surplus {
  /** `null`: more than are kept in memory; they are listed again. */
  readonly extras: readonly Extra[] | null;
  readonly count: number;
  /** Records on each side; of the target only those within the scope. */
  readonly records: { readonly source: number; readonly target: number };
}

/** Extras that are kept from the comparison until they are deleted: some 300 bytes each. */
const KEPT = 100_000;

/**
 * Compares both sides of a stream as they are now. Both are read while others write, so whatever is found is only a suspicion. Nothing is deleted here.
 * By records, what the target lacks or holds otherwise is read again by its key and written as it is then.
 */
export async function findDifferences(run: FeedRun, stream: StreamRun, plan: ComparePlan): Promise<Surplus> {
  const { stop: signal } = run.signals;
  const unreadable = rejectList(run.context.job.deadLetters.stopAfter);
  const open = await openSides(run, stream, plan, unreadable.add);
  const digests = await digestSides({ source: open.source, target: open.target, signal });
  unreadable.end();
  const extras: Extra[] = [];
  let count = 0;
  // Beyond the scope nothing of the target was looked at: what seems to be missing there may be there, or be gone on purpose.
  const isLoose = plan.scope !== null && stream.planned.ref.changes.by !== 'snapshot';
  const onOther = (found: readonly Difference[]): Promise<void> =>
    writeAgain(run, stream, isLoose ? found.filter(({ kind }) => kind !== 'missing') : found);
  const isWhole = plan.what === 'records';
  for await (const found of listExtras({ run, stream, open, digests, signal, ...(isWhole ? { onOther } : {}) })) {
    count += found.length;
    if (count <= KEPT) extras.push(...found);
  }
  if (isWhole) await setUnreadableAside(run, stream, unreadable.list);
  return { extras: count <= KEPT ? extras : null, count, records: digests.records };
}

/** The records that the source could not read at its first reading and that no key leads to: as many as stop a run, and one more. */
function rejectList(stopAfter: number) {
  const list: Reject[] = [];
  let open = true;
  return {
    list,
    add: (rejects: readonly Reject[]): void => {
      if (!open) return;
      list.push(...rejects.filter((reject) => reject.key === undefined).slice(0, stopAfter + 1 - list.length));
    },
    end: (): void => void (open = false),
  };
}

async function writeAgain(run: FeedRun, stream: StreamRun, differences: readonly Difference[]): Promise<void> {
  const keys = differences.flatMap(({ source }) => (source === null ? [] : [source]));
  const whole = keys.filter((key) => !key.some(isNull));
  await hydrateKeys(
    run,
    stream,
    whole.map((key) => carriersKey(stream, key)),
  );
  const { shape } = stream.planned.sourcePlan;
  await setUnreadableAside(
    run,
    stream,
    keys.filter((key) => key.some(isNull)).map((key) => withoutKey(shape, key)),
  );
}

function isNull(cell: Cell): boolean {
  return cell === null || cell === undefined;
}

/** Hashes that were made inside of the source tell of such records too. */
function withoutKey(shape: Shape, key: readonly Cell[]): Reject {
  const position = key.map((cell, index) => cellToText(shape.fields[shape.key[index] ?? -1]?.type ?? 'unknown', cell) ?? 'NULL').join(' ');
  return { position, code: 'E_RECORD_UNREADABLE', message: 'The record has NULL in its key, so it cannot be told apart.' };
}

async function setUnreadableAside(run: FeedRun, stream: StreamRun, rejects: readonly Reject[]): Promise<void> {
  if (rejects.length === 0) return;
  stream.tally.pending.read += rejects.length;
  run.book.countRead(rejects.length);
  setRejectsAside(run, stream, rejects);
  await commitFeed(run, null, run.checkpoint.position);
}
