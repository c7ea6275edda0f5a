import { checkEmbeds } from '../../mapping/check-embed.ts';
import type { CheckedEmbed, EmbedsChecked } from '../../mapping/check-embed.ts';
import type { ParsedMapping } from '../../mapping/parse.ts';
import type { ChangeSpec, Source, SourceStreamPlan, StreamInfo, StreamRef } from '../../model/contracts.ts';
import type { Guarantee } from '../../model/guarantee.ts';
import type { StreamEntry } from '../../model/job.ts';
import type { Shape } from '../../model/shape.ts';
import { chooseChanges, problemAt } from '../plan/choose-changes.ts';
import { weakestGuarantee } from '../plan/guarantee.ts';
import type { JobContext } from '../job-context.ts';
import type { PlanProblem } from '../plan/plan-report.ts';
import { chainName, embedChains, embeddingShape, isEmbedding } from './embed-ref.ts';
import type { Embed, EmbeddingRef } from './embed-ref.ts';

/** Children that records of a stream carry, as the plan tells of them. */
export interface PlannedEmbed {
  readonly embed: Embed;
  /** `items`, `items.parts`. */
  readonly name: string;
  readonly sourcePlan: SourceStreamPlan;
}

/** What the mapping says of children, checked against the streams that there are. */
export function checkedEmbeds(
  context: JobContext,
  of: { readonly mapping: ParsedMapping | null; readonly stream: string; readonly shape: Shape; readonly infos: readonly StreamInfo[] },
): EmbedsChecked {
  if (of.mapping === null || of.mapping.embeds.length === 0) return { embeds: [], diagnostics: [] };
  return checkEmbeds({
    mapping: of.mapping,
    embeds: of.mapping.embeds,
    parent: { stream: of.stream, shape: of.shape },
    streams: new Map(of.infos.map(({ name, shape }) => [name, shape])),
    secrets: (text) => context.secrets(text),
    timezone: context.job.timezone,
    onLoss: context.job.onLoss,
  });
}

export interface EmbedsOf {
  readonly checked: readonly CheckedEmbed[];
  readonly entry: StreamEntry;
  /** The stream, and the embeds that lie above. */
  readonly within: readonly string[];
  /** Of the parent. */
  readonly changes: ChangeSpec;
  readonly infos: readonly StreamInfo[];
}

/** The streams that children are read from. */
export function embedsOf(context: JobContext, { checked, entry, within, changes, infos }: EmbedsOf, problems: PlanProblem[]): Embed[] {
  const { source } = context;
  return checked.flatMap((one) => {
    const { at } = one;
    const info = infos.find(({ name }) => name === one.stream);
    if (source.fetchBy === undefined)
      problems.push(
        problemAt({ at }, 'E_CHANGES_UNSUPPORTED', `embed '${one.name}': the source cannot look records up by the values of fields`),
      );
    if (info === undefined || source.fetchBy === undefined) return [];
    const inherited = inheritedChanges(changes, info);
    const chosen = chooseChanges({ at, changes: one.changes ?? inherited }, info, problems);
    if (chosen === null) return [];
    if ((chosen.by === 'snapshot') !== (changes.by === 'snapshot'))
      problems.push(
        problemAt(
          { at },
          'E_CHANGES_UNSUPPORTED',
          `embed '${one.name}': changes by '${chosen.by}' cannot stand inside of a stream by '${changes.by}': by snapshot, whole documents are compared, or nothing is`,
        ),
      );
    const query = context.job.streams.find((other) => other.query !== null && other.from === one.stream)?.query ?? null;
    const path = [...within, one.name];
    const inner = embedsOf(context, { checked: one.embeds, entry, within: path, changes: chosen, infos }, problems);
    const own: StreamRef = {
      name: one.stream,
      job: context.job.name,
      part: path.join(':'),
      ...(query === null ? {} : { query }),
      changes: chosen,
      key: one.key,
      fields: one.mapping.reads,
      except: one.mapping.except,
      ...(entry.lookbackMs === null ? {} : { lookbackMs: entry.lookbackMs }),
      maxRecordBytes: context.job.maxRecordBytes,
      lookups: [one.on.map(({ child }) => child)],
    };
    const ref = embeddingRef(inner, info.shape, own);
    const feed = chosen.by === 'snapshot' ? null : (source.feeds([own])[0] ?? null);
    const { name, on, orderBy, one: isOne, mapping, field } = one;
    return [{ name, on, orderBy, one: isOne, mapping, field, ref, feed }];
  });
}

/** The parent's method, and its field where the children have it too. */
function inheritedChanges({ by, field }: ChangeSpec, info: StreamInfo): ChangeSpec {
  const offer = info.changes.find((one) => one.by === by);
  return field !== undefined && offer?.fields?.includes(field) === true ? { by, field } : { by };
}

/** A stream that carries children also looks itself up by what they are joined to. */
export function withEmbedded(embeds: readonly Embed[], shape: Shape, own: StreamRef): StreamRef {
  return embeds.length === 0 ? own : embeddingRef(embeds, shape, own);
}

function embeddingRef(embeds: readonly Embed[], shape: Shape, own: StreamRef): EmbeddingRef {
  const joined = embeds.map(({ on }) => on.map(({ parent }) => parent));
  const lookups = joined.filter((fields) => fields.length !== own.key.length || fields.some((name) => !own.key.includes(name)));
  const all = [...(own.lookups ?? []), ...lookups];
  const fields = embeds.map(({ field }) => field);
  return { ...own, ...(all.length === 0 ? {} : { lookups: all }), embeds, shape: embeddingShape(shape, fields) };
}

/** Asks the source about the streams of all children. */
export async function plannedEmbeds(source: Source, ref: StreamRef, signal: AbortSignal): Promise<PlannedEmbed[]> {
  const planned: PlannedEmbed[] = [];
  for (const chain of embedChains(ref)) {
    const embed = chain.at(-1) as Embed;
    const { streams } = await source.plan([embed.ref], signal);
    const [sourcePlan] = streams;
    if (sourcePlan !== undefined) planned.push({ embed, name: chainName(chain), sourcePlan });
  }
  return planned;
}

/** The stream with the shapes that reads of it and of its children hand over. */
export function withPlans(ref: StreamRef, shape: Shape, planned: readonly PlannedEmbed[]): StreamRef {
  return isEmbedding(ref) ? shaped(ref, shape, planned) : ref;
}

function shaped(ref: EmbeddingRef, shape: Shape, planned: readonly PlannedEmbed[]): EmbeddingRef {
  const embeds = ref.embeds.map((embed): Embed => {
    const found = planned.find((one) => one.embed === embed);
    return { ...embed, ref: shaped(embed.ref, found?.sourcePlan.shape ?? embed.ref.shape, planned) };
  });
  return { ...ref, embeds, shape };
}

/** What of children the guarantee depends on. */
export interface PromisedEmbed {
  readonly name: string;
  readonly embed: { readonly on: readonly { readonly child: string }[]; readonly ref: Pick<StreamRef, 'name' | 'key'> };
  readonly sourcePlan: Pick<SourceStreamPlan, 'guarantee'>;
}

/** A document is as late, and as long in noticing what is gone, as the weakest of its parts. */
export function embeddingGuarantee(embeds: readonly PromisedEmbed[], compares: boolean, own: Guarantee): Guarantee {
  const all = embeds.map(({ embed, name, sourcePlan: { guarantee } }): Guarantee => {
    const { lateCommits, assumes } = guarantee;
    // Whose child it was, the source says, or its key: a change of that is a delete and an insert.
    const isToldOf = guarantee.remembers === true || embed.on.every(({ child }) => embed.ref.key.includes(child));
    const isKnown = guarantee.deletes === 'delivered' && isToldOf;
    const kept = `no record of ${embed.ref.name} is deleted or moved to another record (embed ${name}): without deletes.compare the old document keeps it`;
    return {
      ...own,
      lateCommits,
      deletes: isKnown ? 'delivered' : compares ? 'by-compare' : 'never',
      assumes: isKnown || compares ? assumes : [...assumes, kept],
    };
  });
  return weakestGuarantee([own, ...all]) ?? own;
}
