import { leavesAsItIs } from '../mapping/plan.ts';
import type { MappingPlan } from '../mapping/plan.ts';
import type { SourcePlan, SourceStreamPlan, TargetPlan, TargetStreamPlan } from '../model/contracts.ts';
import type { Form } from '../model/records.ts';
import { childTables, ownerNames } from './plan/child-tables.ts';
import { problemAt } from './plan/choose-changes.ts';
import { planAfterGap, planCompare } from './compare/compare-plan.ts';
import { embeddingGuarantee, withPlans } from './embed/plan-embeds.ts';
import type { PlannedEmbed } from './embed/plan-embeds.ts';
import { streamGuarantee, unmetRequirements } from './plan/guarantee.ts';
import { checkpointMode } from './job-context.ts';
import type { JobContext } from './job-context.ts';
import { planHash } from './plan/plan-hash.ts';
import type { HashedPlan } from './plan/plan-hash.ts';
import { fromProblem } from './plan/plan-problem.ts';
import type { Draft, PlannedStream } from './plan/planned-stream.ts';

interface Finishing {
  readonly draft: Draft;
  readonly drafts: readonly Draft[];
  readonly sourcePlan: SourcePlan;
  readonly targetPlan: TargetPlan;
  readonly embeds: readonly PlannedEmbed[];
}

/** A draft with what source and target say of it. None, where one of them does not know the stream. */
export function finishStream(context: JobContext, { draft, drafts, sourcePlan, targetPlan, embeds }: Finishing): PlannedStream[] {
  const { entry, info, mapping, target } = draft;
  const ofSource = sourcePlan.streams.find((one) => one.stream === info.name);
  const ofTarget = targetPlan.streams.find((one) => one.stream === info.name);
  if (ofSource === undefined || ofTarget === undefined) return [];
  const children = childTables(entry, mapping, targetPlan);
  const inTarget = [ofTarget, ...children.map((child) => child.targetPlan)];
  const ref = withPlans(draft.ref, ofSource.shape, embeds);
  const sides = { entry, ref, shape: info.shape, mapping, source: context.source, target: context.target };
  const compare = planCompare(sides);
  const own = streamGuarantee({
    source: ofSource.guarantee,
    checkpoints: checkpointMode(context),
    guarded: entry.guard !== null,
    softDelete: entry.deletes?.when ?? null,
    compares: compare.plan !== null,
    deleteScope: compare.plan?.scope?.filter.expr ?? null,
    losses:
      inTarget.some(({ fields }) => fields.some((field) => field.loss !== undefined)) ||
      [mapping, ...children.map(({ plan }) => plan.mapping)].some(({ onLoss }) => onLoss.some((policy) => policy !== 'error')),
    ...(context.target.writes === 'log' ? { log: target.target } : {}),
    takesDeletes: context.target.ops.has('delete'),
  });
  const guarantee = embeddingGuarantee(embeds, compare.plan !== null, own);
  const unmet = unmetRequirements(guarantee, context.job.require).map((text) =>
    problemAt(entry, 'E_REQUIRE', `stream '${info.name}': ${text}`),
  );
  const inSource = [ofSource, ...embeds.map((embed) => embed.sourcePlan)];
  const problems = [...inSource, ...inTarget].flatMap((one) => one.problems).map((problem) => fromProblem(entry, problem));
  const hashed: HashedPlan = {
    mapping: mapping.hashInput,
    key: ref.key,
    changes: ref.changes,
    where: entry.where,
    deletesWhen: entry.deletes?.when ?? null,
    query: entry.query,
  };
  const before = ownerNames(
    inTarget.flatMap(({ dependsOn }) => dependsOn),
    drafts.map((one) => one.mapping),
  );
  const after = [...new Set([...entry.after, ...before])].filter((name) => name !== info.name);
  return [
    {
      name: info.name,
      entry,
      info,
      ref,
      mapping,
      target,
      hash: planHash(hashed),
      hashed,
      form: wireForm(mapping, ofSource, ofTarget),
      sourcePlan: ofSource,
      targetPlan: ofTarget,
      children,
      guarantee,
      compare: compare.plan,
      afterGap: planAfterGap(sides),
      embeds,
      after,
      problems: [...problems, ...compare.problems, ...unmet],
    },
  ];
}

/** The form that both sides know, where the mapping leaves every record as it is. */
function wireForm(mapping: MappingPlan, source: SourceStreamPlan, target: TargetStreamPlan): Form {
  const shared = leavesAsItIs(mapping, source.shape) ? source.forms.filter((form) => target.forms.includes(form)) : [];
  return shared.find((form) => form !== 'cells') ?? 'cells';
}
