import type { Cell } from '../../model/cell.ts';
import { decodedCell } from '../../model/records.ts';
import { childExpectation } from '../../reconcile/child-expectation.ts';
import { digestSides, listDifferences } from '../../reconcile/compare.ts';
import type { Difference, Digests, Sides } from '../../reconcile/compare.ts';
import type { Expectation } from '../../reconcile/expected.ts';
import { sourceKeys } from '../../reconcile/source-key.ts';
import { firstRecords, recordSides } from '../../reconcile/stream-sides.ts';
import type { ComparedStream } from '../../reconcile/stream-sides.ts';
import type { ChildTable } from '../plan/child-tables.ts';
import type { ComparePlan } from './compare-plan.ts';
import { storedKeyTypes } from './compare-sides.ts';
import { refuseTooMany } from './delete-extras.ts';
import { deleteTargetKeys } from './delete-target-keys.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { hydrateKeys } from '../letters/hydrate-letters.ts';
import { carriersKey } from '../write/write-batch.ts';

/*
 * Child tables in comparisons: what differs leads to the record that it is a part of, and that is written again with all its rows. Rows of a
 * record that the source no longer has go with the record, or by the limit on deletes where nothing else is left of it.
 */

/** Keys that are looked up together. */
const KEYS_AT_ONCE = 1_000;
/** Rows too many that are counted before the first of them is deleted. */
const KEPT = 100_000;

interface OpenChild {
  readonly child: ChildTable;
  readonly expected: Expectation;
  readonly sides: Sides;
  readonly digests: Digests;
}

/** Writes every record again of which a child table lacks a row, holds it otherwise, or holds one too many. Those that are gone are left to `deleteChildExtras`. */
export async function writeChildDifferences(run: FeedRun, stream: StreamRun): Promise<void> {
  for (const child of stream.planned.children) {
    const open = await openChild(run, stream, child);
    for await (const found of listDifferences(open.digests, open.sides)) {
      const others = found.flatMap(({ kind, source }) => (kind === 'extra' || source === null || source.some(isNull) ? [] : [source]));
      const extras = rootKeys(stream, open, extrasOf(found)).flatMap(({ source }) => (source === null ? [] : [source]));
      const there = await presentKeys(run, stream, extras);
      await hydrateKeys(run, stream, [...new Set([...others.map((key) => carriersKey(stream, key)), ...there])]);
    }
  }
}

/**
 * Deletes rows of child tables whose record the source no longer has; rows that a record of the source has too many go as well.
 *
 * @throws {TrueupError} `E_DELETES` when that is more than the plan allows
 */
export async function deleteChildExtras(run: FeedRun, stream: StreamRun, plan: ComparePlan): Promise<void> {
  if (stream.planned.target.onDelete !== 'delete' || plan.scope !== null) return;
  for (const child of stream.planned.children.toReversed()) {
    const open = await openChild(run, stream, child);
    const counted = { gone: 0 };
    let extras: ExtraRow[] = [];
    for await (const found of listDifferences(open.digests, open.sides)) {
      extras.push(...rootKeys(stream, open, extrasOf(found)));
      if (extras.length < KEPT) continue;
      await deleteSome(run, stream, { plan, open, extras, counted });
      extras = [];
    }
    await deleteSome(run, stream, { plan, open, extras, counted });
  }
}

interface Some {
  readonly plan: ComparePlan;
  readonly open: OpenChild;
  readonly extras: readonly ExtraRow[];
  /** Rows whose record is gone, of this part and of those before. */
  readonly counted: { gone: number };
}

async function deleteSome(run: FeedRun, stream: StreamRun, { plan, open, extras, counted }: Some): Promise<void> {
  if (extras.length === 0) return;
  const known = extras.flatMap(({ source }) => (source === null ? [] : [source]));
  const there = new Set(await presentKeys(run, stream, known));
  const gone = extras.filter(({ source }) => source === null || !there.has(carriersKey(stream, source)));
  const planned = { ...stream.planned, target: open.child.target };
  refuseTooMany({ ...stream, planned }, plan, { count: counted.gone + gone.length, records: open.digests.records }, counted.gone);
  counted.gone += gone.length;
  await hydrateKeys(run, stream, [...new Set(known.map((key) => carriersKey(stream, key)))]);
  const keys = gone.flatMap(({ source, target }) => (source === null ? [target] : []));
  await deleteTargetKeys(run, stream, { types: storedKeyTypes(open.expected), keys, child: open.child });
}

async function openChild(run: FeedRun, { planned }: StreamRun, child: ChildTable): Promise<OpenChild> {
  const { source, target } = run.context;
  const { abort, stop } = run.signals;
  const stream: ComparedStream = { source, target, ref: planned.ref, mapping: child.plan.mapping, targetStream: child.target };
  const stored = (await target.storedAs?.(child.target, abort)) ?? null;
  const held = await firstRecords(stream, stored, abort);
  const expected = childExpectation({
    mapping: planned.mapping,
    child: child.plan,
    target: child.target,
    stored,
    scanned: held?.shape ?? null,
    secrets: (text) => run.context.secrets(text),
  });
  const sides: Sides = { ...recordSides({ stream, expected }), signal: stop };
  return { child, expected, sides, digests: await digestSides(sides) };
}

interface ExtraRow {
  readonly target: readonly Cell[];
  /** The key of the record that the row belongs to; `null`: the row's key does not tell. */
  readonly source: readonly Cell[] | null;
}

function extrasOf(found: readonly Difference[]): (readonly Cell[])[] {
  return found.flatMap(({ kind, target }) => (kind === 'extra' && target !== null ? [target] : []));
}

function rootKeys({ planned }: StreamRun, { child, expected }: OpenChild, keys: readonly (readonly Cell[])[]): ExtraRow[] {
  const back = sourceKeys({ mapping: child.plan.mapping, source: planned.sourcePlan.shape, stored: storedKeyTypes(expected) });
  return keys.map((target) => ({ target, source: back?.(target) ?? null }));
}

/** Which of these records the source has now, by their keys as letters have them. */
async function presentKeys(run: FeedRun, stream: StreamRun, keys: readonly (readonly Cell[])[]): Promise<string[]> {
  const { ref } = stream.planned;
  const distinct = [...new Map(keys.map((key) => [carriersKey(stream, key), key]))];
  const there: string[] = [];
  for (let from = 0; from < distinct.length; from += KEYS_AT_ONCE) {
    const some = distinct.slice(from, from + KEYS_AT_ONCE);
    const wanted = new Set(some.map(([text]) => text));
    for await (const { shape, records } of run.context.source.fetchBy?.(
      ref,
      ref.key,
      some.map(([, key]) => key),
      run.signals.stop,
    ) ?? [])
      for (const row of records.rows()) {
        const text = carriersKey(
          stream,
          shape.key.map((index) => decodedCell(records, row, index)),
        );
        if (wanted.delete(text)) there.push(text);
      }
  }
  return there;
}

function isNull(cell: Cell): boolean {
  return cell === null || cell === undefined;
}
