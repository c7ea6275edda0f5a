import type { Batch, FetchRequest, Source, StreamRef } from '../../model/contracts.ts';
import type { Feed } from '../../model/feed.ts';
import { assembled } from './assemble.ts';
import type { Assembly } from './assembly.ts';
import { chainOfFeed, embedChains, embeddingShape, isEmbedding, ownPart } from './embed-ref.ts';
import type { Embed, EmbeddingRef } from './embed-ref.ts';
import { untilSettled } from '../until-settled.ts';
import { touches } from './touches.ts';
import { undeliveredChildren } from './undelivered-children.ts';

/**
 * A source whose records carry children of other streams, for every stream that is asked for with `embeds`; everything else passes through. Whoever reads
 * a record so gets the whole document, whatever it is read for: a run, a comparison, a repair, an explanation.
 *
 * Changes of children are feeds of kind `embed`. They deliver touches: the records that hold the children are looked up again, as a whole.
 */
export function embeddingSource(source: Source, secrets: (text: string) => string): Source {
  const only = (batches: AsyncIterable<Batch>, ref: StreamRef, signal: AbortSignal): AsyncIterable<Batch> =>
    isEmbedding(ref) ? assembled(assembly, batches, () => ref, signal) : batches;
  /** Feeds of the streams themselves that were read, by id. */
  const read = new Map<string, Feed>();
  const embedding: Source = {
    ...passed(source),
    plan: async (refs, signal) => {
      const { streams } = await source.plan(refs.map(ownPart), signal);
      return { streams: streams.map((one, index) => withChildren(one, refs.find((ref) => ref.name === one.stream) ?? refs[index])) };
    },
    feeds: (refs) => source.feeds(refs.map(ownPart)),
    startCursor: (feed, refs, signal) => {
      const child = childOf(feed, refs);
      return child === null
        ? source.startCursor(feed, refs.map(ownPart), signal)
        : source.startCursor(ownFeed(child, feed), [ownPart(child.ref)], signal);
    },
    fetchChanges: (request) => {
      if (request.feed.kind === 'changes') read.set(request.feed.id, request.feed);
      return fetchChanges(source, assembly, request);
    },
    ...(source.settled === undefined ? {} : { settled: settledIn(source, read) }),
    ...optional(source, only),
  };
  const assembly: Assembly = { source: embedding, secrets };
  return embedding;
}

/** What children are joined to must be seen as well as they are. */
function settledIn(source: Source, read: ReadonlyMap<string, Feed>): NonNullable<Source['settled']> {
  return async (feed, cursor, signal) => {
    const feeds = feed.kind === 'embed' ? [deliveredFeed(feed), ...read.values()] : [feed];
    for (const one of feeds) if ((await source.settled?.(one, cursor, signal)) === false) return false;
    return true;
  };
}

/** What needs no other look at the streams it is asked of. */
function passed(source: Source): Pick<Source, 'identity' | 'discover' | 'close'> & Partial<Source> {
  return {
    identity: (signal) => source.identity(signal),
    discover: (signal, queries) => source.discover(signal, queries),
    close: () => source.close(),
    ...(source.recall === undefined ? {} : { recall: (feeds) => source.recall?.(feeds.map(deliveredFeed)) }),
    ...(source.apply === undefined ? {} : { apply: (plan, signal) => source.apply?.(plan, signal) ?? Promise.resolve() }),
    ...(source.logState === undefined
      ? {}
      : { logState: async (feed, cursor, signal) => (await source.logState?.(deliveredFeed(feed), cursor, signal)) ?? null }),
    ...(source.release === undefined
      ? {}
      : { release: async (feed, signal) => (await source.release?.(deliveredFeed(feed), signal)) ?? [] }),
    ...(source.kept === undefined ? {} : { kept: async (which, signal) => (await source.kept?.(which, signal)) ?? [] }),
    ...(source.explainCursor === undefined ? {} : { explainCursor: (cursor) => source.explainCursor?.(cursor) ?? '' }),
    ...(source.acknowledge === undefined
      ? {}
      : { acknowledge: async (feed, cursor, signal) => source.acknowledge?.(deliveredFeed(feed), cursor, signal) }),
    ...(source.heldBack === undefined
      ? {}
      : { heldBack: async (feed, signal) => (await source.heldBack?.(deliveredFeed(feed), signal)) ?? null }),
  };
}

type Only = (batches: AsyncIterable<Batch>, ref: StreamRef, signal: AbortSignal) => AsyncIterable<Batch>;

/** A capability is there when the source has it. */
function optional(source: Source, only: Only): Partial<Source> {
  const { splitBackfill, fetchBy, scan, undelivered, changedSince, digests } = source;
  return {
    ...(splitBackfill === undefined
      ? {}
      : { splitBackfill: (ref, partitions, signal, bounds) => splitBackfill.call(source, ownPart(ref), partitions, signal, bounds) }),
    ...(fetchBy === undefined
      ? {}
      : { fetchBy: (ref, fields, values, signal) => only(fetchBy.call(source, ownPart(ref), fields, values, signal), ref, signal) }),
    ...(scan === undefined ? {} : { scan: (ref, signal) => only(scan.call(source, ownPart(ref), signal), ref, signal) }),
    ...(undelivered === undefined
      ? {}
      : {
          undelivered: (request, signal) => {
            const { feed, stream } = request;
            const chain = chainOfFeed(feed, stream);
            if (chain === null) return undelivered.call(source, { ...request, stream: ownPart(stream) }, signal);
            return undeliveredChildren({ source, ref: stream as EmbeddingRef, chain, after: request.after, keys: request.keys, signal });
          },
        }),
    ...(changedSince === undefined
      ? {}
      : {
          changedSince: async function* (ref, sinceMs, signal): AsyncGenerator<Batch> {
            yield* only(changedSince.call(source, ownPart(ref), sinceMs, signal), ref, signal);
            for (const chain of embedChains(ref)) {
              const changes = changedSince.call(source, ownPart((chain.at(-1) as Embed).ref), sinceMs, signal);
              for await (const { shape, records } of touches({ source, ref: ref as EmbeddingRef, chain, signal }, changes)) {
                const keys = records.rows().map((row) => shape.key.map((field) => row[field]));
                if (keys.length > 0) yield* only(source.fetchBy?.(ownPart(ref), ref.key, keys, signal) ?? none(), ref, signal);
              }
            }
          },
        }),
    ...(digests === undefined
      ? {}
      : { digests: async (ref, fields, signal) => (isEmbedding(ref) ? null : digests.call(source, ref, fields, signal)) }),
  };
}

/** Whose children these are is looked up, and then what they belong to: both must be seen as the changes tell it. */
async function* visible({ source }: Assembly, { feed, after, signal }: FetchRequest, batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  for await (const batch of batches) {
    if (batch.stream !== null) await untilSettled(source, { feed, cursor: batch.cursor ?? after }, { stop: signal, abort: signal });
    yield batch;
  }
}

async function* none(): AsyncGenerator<Batch> {}

function withChildren<T extends { readonly shape: EmbeddingRef['shape'] }>(plan: T, ref: StreamRef | undefined): T {
  if (ref === undefined || !isEmbedding(ref) || plan.shape.fields.length === 0) return plan;
  return {
    ...plan,
    shape: embeddingShape(
      plan.shape,
      ref.embeds.map(({ field }) => field),
    ),
  };
}

function childOf(feed: Feed, refs: readonly StreamRef[]): Embed | null {
  return (
    chainOfFeed(
      feed,
      refs.find(({ name }) => feed.streams.includes(name)),
    )?.at(-1) ?? null
  );
}

/** The feed as the source knows it. */
function ownFeed({ feed }: Embed, asked: Feed): Feed {
  return feed ?? asked;
}

/** The same, where the stream is not at hand: what an `embed` feed keeps of it. */
function deliveredFeed(feed: Feed): Feed {
  if (feed.kind !== 'embed') return feed;
  const { feed: id = feed.id, streams = [], range } = feed.range as { feed?: string; streams?: string[]; range?: Feed['range'] };
  return {
    id,
    kind: 'changes',
    streams,
    ...(range === undefined ? {} : { range }),
    ...(feed.known === undefined ? {} : { known: feed.known }),
  };
}

function fetchChanges(source: Source, assembly: Assembly, request: FetchRequest): AsyncIterable<Batch> {
  const { feed, streams, signal } = request;
  const ref = streams.find(({ name }) => feed.streams.includes(name));
  const chain = chainOfFeed(feed, ref);
  if (chain !== null) {
    const child = chain.at(-1) as Embed;
    const own = {
      ...request,
      feed: ownFeed(child, feed),
      streams: [ownPart(child.ref)],
      forms: new Map([[child.ref.name, 'cells' as const]]),
    };
    return touches({ source, ref: ref as EmbeddingRef, chain, signal }, visible(assembly, request, source.fetchChanges(own)));
  }
  const batches = source.fetchChanges({ ...request, streams: streams.map(ownPart) });
  if (!streams.some(isEmbedding)) return batches;
  const embedding = (name: string): EmbeddingRef | null => streams.filter(isEmbedding).find((one) => one.name === name) ?? null;
  return assembled(assembly, batches, embedding, signal);
}
