import type { CheckedEmbed } from '../../mapping/check-embed.ts';
import type { StreamRef } from '../../model/contracts.ts';
import type { Feed } from '../../model/feed.ts';
import type { Field } from '../../model/logical-type.ts';
import type { Shape } from '../../model/shape.ts';

/** A stream whose records are read with children of other streams in them. Connectors see the stream alone. */
export interface EmbeddingRef extends StreamRef {
  readonly embeds: readonly Embed[];
  /** What a read hands over, children included. */
  readonly shape: Shape;
}

/** Children of one stream inside the records of another. */
export interface Embed extends Pick<CheckedEmbed, 'name' | 'on' | 'orderBy' | 'one' | 'mapping' | 'field'> {
  readonly ref: EmbeddingRef;
  /** The changes of the children, as their source delivers them. `null`: they are found by comparing whole documents. */
  readonly feed: Feed | null;
}

export function isEmbedding(ref: StreamRef): ref is EmbeddingRef {
  return 'embeds' in ref && (ref as EmbeddingRef).embeds.length > 0;
}

/** The stream alone, as its connector reads it. */
export function ownPart(ref: StreamRef): StreamRef {
  const { embeds: _embeds, shape: _shape, ...own } = ref as EmbeddingRef;
  return own;
}

/** Where the children stand among the fields of the stream itself: behind them, but before `*`, which is always the last. */
export function embedPosition({ fields, open }: Shape): number {
  return open ? fields.length - 1 : fields.length;
}

export function embeddingShape(own: Shape, fields: readonly Field[]): Shape {
  return { ...own, fields: own.fields.toSpliced(embedPosition(own), 0, ...fields) };
}

/** Children, those of children included: each with all that lie between it and the record that holds it, the outermost first. */
export function embedChains(ref: StreamRef): readonly (readonly Embed[])[] {
  if (!isEmbedding(ref)) return [];
  return ref.embeds.flatMap((embed) => [[embed], ...embedChains(embed.ref).map((chain) => [embed, ...chain])]);
}

/** `items.parts`: how people name children of children. */
export function chainName(chain: readonly Embed[]): string {
  return chain.map(({ name }) => name).join('.');
}

/** The feeds that bring changes of children, each with a checkpoint of its own. They deliver touches of the records that hold them. */
export function embedFeeds(ref: StreamRef): Feed[] {
  return embedChains(ref).flatMap((chain): Feed[] => {
    const { feed } = chain.at(-1) as Embed;
    if (feed === null) return [];
    const { id, streams, range, known } = feed;
    const own = { feed: id, streams, ...(range === undefined ? {} : { range }) };
    return [{ id: feedId(ref, chain), kind: 'embed', streams: [ref.name], range: own, ...(known === undefined ? {} : { known }) }];
  });
}

/** The children that a feed brings changes of. `null`: it is another kind of feed, or one of an earlier plan. */
export function chainOfFeed(feed: Feed, ref: StreamRef | undefined): readonly Embed[] | null {
  if (feed.kind !== 'embed' || ref === undefined) return null;
  return embedChains(ref).find((chain) => feedId(ref, chain) === feed.id) ?? null;
}

function feedId({ name }: StreamRef, chain: readonly Embed[]): string {
  return `embed:${name}:${chain.map((embed) => embed.name.replaceAll('/', '\\/')).join('/')}`;
}
