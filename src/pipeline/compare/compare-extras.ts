import type { Cell } from '../../model/cell.ts';
import { DIGEST_BUCKETS } from '../../model/digests.ts';
import { listDifferences } from '../../reconcile/compare.ts';
import type { Difference, Digests, Sides } from '../../reconcile/compare.ts';
import { canonicalKey } from '../../reconcile/compared-fields.ts';
import { targetKey } from '../../reconcile/expected.ts';
import { sourceKeys } from '../../reconcile/source-key.ts';
import type { SourceKeyOf } from '../../reconcile/source-key.ts';
import { storedKeyTypes } from './compare-sides.ts';
import type { StreamSides } from './compare-sides.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { letterKey } from '../letters/letter-book.ts';
import { deletesOf } from '../write/deletes-of.ts';
import { carriersKey } from '../write/write-batch.ts';

/** A record that only the target has. */
export interface Extra {
  /** The target's key, canonical. */
  readonly key: string;
  /** Its cells, as the target holds them. */
  readonly target: readonly Cell[];
  /** What the source would know the record by; `null`: the key of the target does not tell. */
  readonly source: readonly Cell[] | null;
}

export interface ExtrasReading {
  readonly run: FeedRun;
  readonly stream: StreamRun;
  readonly open: StreamSides;
  readonly digests: Digests;
  readonly signal: AbortSignal;
  /** Told of records that the target lacks or holds otherwise. */
  onOther?(differences: readonly Difference[]): Promise<void>;
}

/** The records that only the target has, but for those that `where` keeps out and `onExit: keep` leaves where they are. */
export async function* listExtras(reading: ExtrasReading): AsyncGenerator<readonly Extra[]> {
  const { stream, open, digests, signal, onOther } = reading;
  const sides: Sides = { source: open.source, target: open.target, signal };
  const turn = turnedAround(stream, open);
  for await (const differences of listDifferences(digests, sides)) {
    const others = differences.filter(({ kind }) => kind !== 'extra');
    if (others.length > 0) await onOther?.(others);
    const found = differences.flatMap(({ kind, key, target }) => (kind === 'extra' && target !== null ? [{ key, target }] : []));
    if (found.length === 0) continue;
    const extras = await withoutKept(reading, turn(found));
    if (extras.length > 0) yield extras;
  }
}

/** Keys of the source from keys of the target. Each is mapped again: one that does not lead back to where it came from is not known. */
function turnedAround(stream: StreamRun, { expected }: StreamSides): (found: readonly Omit<Extra, 'source'>[]) => Extra[] {
  const { mapping, sourcePlan } = stream.planned;
  const back = sourceKeys({ mapping, source: sourcePlan.shape, stored: storedKeyTypes(expected) });
  return (found) => {
    if (back === null) return found.map((one) => ({ ...one, source: null }));
    return verified(stream, expected, found, back);
  };
}

function verified(
  stream: StreamRun,
  expected: StreamSides['expected'],
  found: readonly Omit<Extra, 'source'>[],
  back: SourceKeyOf,
): Extra[] {
  const extras = found.map((one) => ({ ...one, source: back(one.target) }));
  const known = extras.filter((one) => one.source !== null);
  const batch = deletesOf(
    { stream: stream.planned.name, shape: stream.planned.sourcePlan.shape },
    known.map((one) => one.source as readonly Cell[]),
  );
  const { batch: mapped, origin } = expected.mapper(batch.shape).map(batch);
  const good = new Set<Extra>();
  mapped.records.rows().forEach((row, place) => {
    const extra = known[origin?.[place] ?? place] as Extra;
    const key = targetKey(expected, mapped.records, row);
    if (key !== null && canonicalKey(expected.fields, key) === extra.key) good.add(extra);
  });
  return extras.map((extra) => (good.has(extra) ? extra : { ...extra, source: null }));
}

/** Keys that are looked up together. */
const KEYS_AT_ONCE = 1_000;

/** With `onExit: keep` a record that stopped passing `where` is no record to delete, as long as the source has it. */
async function withoutKept({ run, stream, open, signal }: ExtrasReading, extras: readonly Extra[]): Promise<readonly Extra[]> {
  const { planned } = stream;
  if (planned.compare?.what !== 'records' || planned.mapping.where.length === 0 || planned.mapping.onExit !== 'keep') return extras;
  const kept = new Set<string>();
  const known = extras.filter((extra) => extra.source !== null);
  for (let from = 0; from < known.length; from += KEYS_AT_ONCE) {
    const keys = known.slice(from, from + KEYS_AT_ONCE).map((extra) => extra.source as readonly Cell[]);
    for await (const batch of run.context.source.fetchBy?.(planned.ref, planned.ref.key, keys, signal) ?? []) {
      const { batch: mapped, origin, touches, rejected } = stream.mapper.map(batch, { exits: false });
      const carried = new Set<number>([...touches, ...rejected.map(({ index }) => index)]);
      for (let place = 0; place < mapped.records.count; place++) carried.add(origin?.[place] ?? place);
      batch.records.rows().forEach((row, index) => {
        if (!carried.has(index)) kept.add(letterKey(batch.shape, batch.records, row));
      });
    }
  }
  const there = await stillThere(
    extras.filter((extra) => extra.source === null),
    open.sourceWithFiltered,
    signal,
  );
  return extras.filter((extra) => (extra.source === null ? !there.has(extra.key) : !kept.has(carriersKey(stream, extra.source))));
}

/** Which of these records the source has after all, by the keys that the mapping gives them. Reads the source once. */
export async function stillThere(extras: readonly Extra[], source: StreamSides['source'], signal: AbortSignal): Promise<Set<string>> {
  const wanted = new Set(extras.map((extra) => extra.key));
  const found = new Set<string>();
  if (wanted.size === 0) return found;
  const everything = new Uint8Array(DIGEST_BUCKETS).fill(1);
  for await (const records of source.list(everything, { signal })) for (const { key } of records) if (wanted.has(key)) found.add(key);
  return found;
}
