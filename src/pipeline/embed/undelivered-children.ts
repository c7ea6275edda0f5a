import type { Cell } from '../../model/cell.ts';
import type { Source } from '../../model/contracts.ts';
import type { Cursor } from '../../model/feed.ts';
import { decodedCell } from '../../model/records.ts';
import { keyToText } from '../../model/key-text.ts';
import { childrenNow } from './children-now.ts';
import type { Embed, EmbeddingRef } from './embed-ref.ts';
import { ownPart } from './embed-ref.ts';
import { touches } from './touches.ts';

export interface UndeliveredChildren {
  /** As connectors have it. */
  readonly source: Source;
  readonly ref: EmbeddingRef;
  readonly chain: readonly Embed[];
  readonly after: Cursor | null;
  /** Of the records that hold them, in key order. */
  readonly keys: readonly (readonly Cell[])[];
  readonly signal: AbortSignal;
}

/** Which records a drain of the changes of their children would touch. The changes are read to find out. */
export async function undeliveredChildren({ source, ref, chain, after, keys, signal }: UndeliveredChildren): Promise<readonly boolean[]> {
  const { feed, ref: child } = chain.at(-1) as Embed;
  if (feed === null) return keys.map(() => false);
  const { shape } = ref;
  const keyShape = {
    fields: shape.key.map((index) => shape.fields[index] as (typeof shape.fields)[number]),
    key: shape.key.map((_index, at) => at),
    open: false,
  };
  const textOf = (key: readonly Cell[]): string => keyToText(keyShape, key);
  if (isExclusive(source, child)) {
    const found = await undeliveredNow({ source, ref, chain, after, keys, signal }, textOf);
    return keys.map((key) => found.has(textOf(key)));
  }
  const wanted = new Set(keys.map(textOf));
  const found = new Set<string>();
  const enough = new AbortController();
  const within = AbortSignal.any([signal, enough.signal]);
  const changes = source.fetchChanges({
    feed,
    streams: [ownPart(child)],
    after,
    forms: new Map(),
    batchRows: 10_000,
    batchBytes: 8 * 1024 * 1024,
    until: 'drain',
    signal: within,
  });
  for await (const { records } of touches({ source, ref, chain, signal: within }, changes)) {
    for (const row of records.rows()) {
      const text = textOf(shape.key.map((field) => decodedCell(records, row, field)));
      if (wanted.has(text)) found.add(text);
    }
    if (found.size === wanted.size) break;
  }
  enough.abort();
  return keys.map((key) => found.has(textOf(key)));
}

/** Whether the changes have one reader, whom another would push aside: what the source keeps for a feed is its reader's. */
function isExclusive(source: Source, { changes }: EmbeddingRef): boolean {
  return changes.by === 'log' && source.release !== undefined && source.undelivered !== undefined;
}

/** Children that are there, by their keys: of those that are gone nobody knows yet whose they were. */
async function undeliveredNow(asked: UndeliveredChildren, textOf: (key: readonly Cell[]) => string): Promise<Set<string>> {
  const { source, chain, after, signal } = asked;
  const { feed, ref: child } = chain.at(-1) as Embed;
  const found = new Set<string>();
  const children = await Array.fromAsync(childrenNow(asked, textOf));
  if (children.length === 0 || feed === null) return found;
  const keys = children.map(({ key }) => key);
  const undelivered = (await source.undelivered?.({ feed, stream: ownPart(child), after, keys }, signal)) ?? [];
  children.forEach(({ owners }, index) => {
    if (undelivered[index] === true) for (const owner of owners) found.add(owner);
  });
  return found;
}
