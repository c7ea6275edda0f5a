import type { Cell } from '../../model/cell.ts';
import type { Source } from '../../model/contracts.ts';
import { decodedCell } from '../../model/records.ts';
import type { Records } from '../../model/records.ts';
import type { Shape } from '../../model/shape.ts';
import { ownPart } from './embed-ref.ts';
import type { Embed, EmbeddingRef } from './embed-ref.ts';
import { joinValues } from './join-values.ts';

export interface ChildrenNow {
  /** As connectors have it. */
  readonly source: Source;
  readonly ref: EmbeddingRef;
  readonly chain: readonly Embed[];
  /** Of the records that hold them, in key order. */
  readonly keys: readonly (readonly Cell[])[];
  readonly signal: AbortSignal;
}

/** A child as it is now, and the texts of the keys of the records that hold it. */
export interface ChildNow {
  readonly key: readonly Cell[];
  readonly owners: readonly string[];
}

interface Level {
  readonly shape: Shape;
  readonly records: Records;
  /** Per record. */
  readonly owners: readonly (readonly string[])[];
}

/** The children at the end of a chain that records hold now. @param textOf of a record's key */
export async function* childrenNow(asked: ChildrenNow, textOf: (key: readonly Cell[]) => string): AsyncGenerator<ChildNow> {
  const { source, ref, chain, keys, signal } = asked;
  const fields = [...new Set([...ref.key, ...(chain[0]?.on ?? []).map(({ parent }) => parent)])];
  for await (const { shape, records } of source.fetchBy?.({ ...ownPart(ref), fields, except: [] }, ref.key, keys, signal) ?? []) {
    const owners = records.rows().map((row) => [textOf(shape.key.map((field) => decodedCell(records, row, field)))]);
    yield* below(asked, { shape, records, owners }, 0);
  }
}

async function* below(asked: ChildrenNow, holders: Level, at: number): AsyncGenerator<ChildNow> {
  const { source, chain, signal } = asked;
  const embed = chain[at] as Embed;
  const { on, ref } = embed;
  const { values, ownersIn } = joinValues(embed, { ...holders, rows: holders.records.rows(), isWhole: () => true });
  if (values.length === 0) return;
  const names = [...ref.key, ...on.map(({ child }) => child), ...(chain[at + 1]?.on ?? []).map(({ parent }) => parent)];
  const own = { ...ownPart(ref), fields: [...new Set(names)], except: [] };
  const by = on.map(({ child }) => child);
  for await (const { shape, records } of source.fetchBy?.(own, by, values, signal) ?? []) {
    const ownersOf = ownersIn(shape, records);
    // Where only the source can say whose a child is, it may be anyone's.
    const owners = records.rows().map((row) => {
      const of = ownersOf(row) ?? holders.owners.keys().toArray();
      return [...new Set(of.flatMap((index) => holders.owners[index] ?? []))];
    });
    if (at + 1 < chain.length) yield* below(asked, { shape, records, owners }, at + 1);
    else
      for (const [index, row] of records.rows().entries())
        yield { key: shape.key.map((field) => decodedCell(records, row, field)), owners: owners[index] ?? [] };
  }
}
