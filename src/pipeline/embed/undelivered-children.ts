import type { Cell } from '../../model/cell.ts';
import type { Source } from '../../model/contracts.ts';
import type { Cursor } from '../../model/feed.ts';
import { decodedCell } from '../../model/records.ts';
import { keyToText } from '../../model/key-text.ts';
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
  const wanted = new Set(keys.map((key) => keyToText(keyShape, key)));
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
      const text = keyToText(
        keyShape,
        shape.key.map((field) => decodedCell(records, row, field)),
      );
      if (wanted.has(text)) found.add(text);
    }
    if (found.size === wanted.size) break;
  }
  enough.abort();
  return keys.map((key) => found.has(keyToText(keyShape, key)));
}
