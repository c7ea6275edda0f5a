import type { Batch, Feed, Json, KeyBounds } from '../../../src/sdk.ts';
import { TrueupError } from '../../../src/sdk.ts';
import type { Document } from 'mongodb';
import { batches } from './batches.ts';
import type { BatchSource, Open } from './batches.ts';
import { plainText, writeCursor } from './cursor.ts';
import { rawDocument } from '../bson/read.ts';
import { rawAt } from './decode.ts';
import { extendedJson } from '../bson/ejson-write.ts';
import { keyBounds } from './key-bounds.ts';
import { all, idRange } from './order.ts';
import type { IdRange } from './order.ts';
import { filterOf, idText, openPoint, weightOf } from '../stream-context.ts';
import type { StreamContext } from '../stream-context.ts';

/** What part of a stream a backfill feed covers: by `_id`, whatever the key is, in the order of all BSON types; and bounds of the key that a person gave. */
export interface FeedRange extends IdRange {
  readonly bounds?: KeyBounds;
}

export function parseRange(feed: Feed): FeedRange {
  return (feed.range ?? {}) as FeedRange;
}

export interface RangeRead {
  readonly range: FeedRange;
  /** Extended JSON of the `_id` after which it goes on. */
  readonly from: string | null;
  /** At most one batch. */
  readonly chunk: boolean;
  /** Whether batches say where to resume. */
  readonly cursors: boolean;
}

/** The documents of a range by `_id`, in one snapshot after another; the changes feed delivers whatever changes in between. */
export async function* readRange(context: StreamContext, read: RangeRead): AsyncGenerator<Batch> {
  const { knowledge, ref, limits, signal } = context;
  const open: Open = { reading: await knowledge.reading(ref, signal) };
  const bounds = keyBounds(open.reading, read.range.bounds);
  let at = read.from;
  const source: BatchSource = {
    knowledge,
    limits,
    placeAfter: (document) => {
      const id = idText(document);
      at = id ?? at;
      const cursor = read.cursors && id !== null ? writeCursor({ kind: 'backfill', id }) : null;
      return { cursor, position: { text: id === null ? '' : `_id ${plainText(id)}` } };
    },
  };
  for (;;) {
    const point = await openPoint(context);
    let late = false;
    try {
      const after = at ?? read.range.after;
      const range = idRange({ ...(after === undefined ? {} : { after }), ...(read.range.to === undefined ? {} : { to: read.range.to }) });
      const filter = all([...range, ...bounds, ...filterOf(ref.where)]);
      const asked = {
        collection: ref.name,
        filter,
        sort: { _id: 1 },
        weight: weightOf(context),
        ...(read.chunk ? { limit: limits.batchRows } : {}),
      };
      for await (const batch of batches(open, point.find(asked), source)) {
        yield batch;
        if (read.chunk) return;
        late = point.isOld() && at !== null;
        if (late) break;
      }
    } finally {
      await point.end();
    }
    if (!late) return;
  }
}

/** Of how many documents boundaries are picked, for each range. Of a twentieth of the collection or more the server would read all of it. */
const SAMPLED = { perRange: 500, atMost: 20_000 };

/** Splits a collection into at most `partitions` ranges of about the same number of documents. They touch, never overlap, and are open at both ends. */
export async function splitRange(context: StreamContext, partitions: number, bounds: KeyBounds): Promise<FeedRange[]> {
  const own = bounds.from === undefined && bounds.to === undefined ? {} : { bounds };
  // A bad bound is told now, not in the middle of the run.
  keyBounds(await context.knowledge.reading(context.ref, context.signal), own.bounds);
  const marks = partitions <= 1 ? [] : await boundaries(context, partitions);
  return [...marks, null].map((to, index): FeedRange => {
    const before = marks[index - 1];
    return { ...(before === undefined ? {} : { after: before }), ...(to === null ? {} : { to }), ...own };
  });
}

async function boundaries({ session, ref, signal }: StreamContext, partitions: number): Promise<string[]> {
  const ids = await session.run(signal, (db) =>
    db
      .collection(ref.name)
      .aggregate(
        [
          { $sample: { size: Math.min(partitions * SAMPLED.perRange, SAMPLED.atMost) } },
          { $project: { _id: 1 } },
          { $sort: { _id: 1 } },
        ] satisfies Document[],
        {
          raw: true,
          allowDiskUse: true,
          signal,
        },
      )
      .toArray(),
  );
  const texts = (ids as unknown as Uint8Array[]).map((document) => rawAt(rawDocument(document), ['_id'])).filter((id) => id !== null);
  const picked = Array.from({ length: partitions - 1 }, (_, index) => texts[Math.floor((texts.length * (index + 1)) / partitions) - 1]);
  const marks = picked.filter((id) => id !== undefined).map(extendedJson);
  return marks.filter((mark, index) => mark !== marks[index - 1]);
}

export function rangeJson(range: FeedRange): Json {
  return range as unknown as Json;
}

/** @throws {TrueupError} `E_BUG` */
export function requireOne<T>(items: readonly T[], what: string): T {
  const [only] = items;
  if (only === undefined || items.length > 1)
    throw new TrueupError('E_BUG', `${what} of the mongodb connector has one stream, got ${items.length}.`);
  return only;
}
