import type { SourcePlan, TargetPlan } from '../../model/contracts.ts';
import type { Guarantee } from '../../model/guarantee.ts';
import { childProblems, childTargets } from './child-tables.ts';
import { draftStream } from './draft-stream.ts';
import { plannedEmbeds } from '../embed/plan-embeds.ts';
import type { PlannedEmbed } from '../embed/plan-embeds.ts';
import { finishStream } from '../finish-stream.ts';
import { weakestGuarantee } from './guarantee.ts';
import { checkpointMode, checkpointStore } from '../job-context.ts';
import type { JobContext } from '../job-context.ts';
import { fromDiagnostic } from './plan-problem.ts';
import type { PlanProblem } from './plan-report.ts';
import type { Draft, PlannedStream } from './planned-stream.ts';

export type { PlannedStream } from './planned-stream.ts';

export interface JobPlan {
  readonly streams: readonly PlannedStream[];
  readonly source: SourcePlan;
  readonly target: TargetPlan;
  readonly guarantee: Guarantee | null;
  /** Problems of the job and of streams that did not get as far as being planned. */
  readonly problems: readonly PlanProblem[];
}

/**
 * Decides everything that a run of the job needs, and reads only. What is wrong is in `problems`, all of it; what cannot be reached is thrown.
 *
 * @param only names of source streams; absent: all
 */
export async function planJob(context: JobContext, signal: AbortSignal, only?: readonly string[]): Promise<JobPlan> {
  const { job, source, target } = context;
  const queries = job.streams.flatMap((entry) => (entry.query === null ? [] : [{ name: entry.from, query: entry.query }]));
  if (source.recall !== undefined) source.recall((await checkpointStore(context).list(job.name, signal)).map(({ feed }) => feed));
  const infos = await source.discover(signal, queries);
  const expanded = context.expand(job.streams, infos);
  const problems: PlanProblem[] = expanded.diagnostics.map(fromDiagnostic);
  const drafts: Draft[] = [];
  for (const stream of expanded.streams) {
    if (only !== undefined && !only.includes(stream.info.name)) continue;
    const draft = draftStream(context, stream, infos);
    problems.push(...draft.problems);
    if (draft.draft !== null) drafts.push(draft.draft);
  }
  const embeds = new Map<string, readonly PlannedEmbed[]>();
  for (const { info, ref } of drafts) embeds.set(info.name, await plannedEmbeds(source, ref, signal));
  const sourcePlan = await source.plan(
    drafts.map((draft) => draft.ref),
    signal,
  );
  const targetPlan = await target.plan(
    drafts.flatMap(({ entry, mapping, target: own }) => [own, ...childTargets(entry, mapping)]),
    signal,
  );
  problems.push(...childProblems(target, drafts));
  if (job.checkpoints === 'atomic' && checkpointMode(context) !== 'atomic')
    problems.push({
      severity: 'error',
      code: 'E_REQUIRE',
      message: `target '${job.target}' cannot keep checkpoints in the transaction of the rows, which 'checkpoints: atomic' asks for. It offers: ${checkpointMode(context)}`,
    });
  if (checkpointMode(context) !== 'state') problems.push(...(targetPlan.checkpointProblems ?? []).map((problem) => ({ ...problem })));
  const streams = drafts.flatMap((draft) =>
    finishStream(context, { draft, drafts, sourcePlan, targetPlan, embeds: embeds.get(draft.info.name) ?? [] }),
  );
  return {
    streams,
    source: { ...sourcePlan, streams: [...sourcePlan.streams, ...[...embeds.values()].flat().map((embed) => embed.sourcePlan)] },
    target: targetPlan,
    guarantee: weakestGuarantee(streams.map((stream) => stream.guarantee)),
    problems,
  };
}

/** The problems that prevent a run, of the job and of every stream. */
export function planErrors(plan: JobPlan): PlanProblem[] {
  return [...plan.problems, ...plan.streams.flatMap((stream) => stream.problems)].filter((problem) => problem.severity === 'error');
}
