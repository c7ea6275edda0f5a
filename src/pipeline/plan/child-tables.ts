import { childStream } from '../../mapping/check-unwind.ts';
import type { MappingPlan, UnwindPlan } from '../../mapping/plan.ts';
import type { Target, TargetPlan, TargetStream, TargetStreamPlan } from '../../model/contracts.ts';
import type { StreamEntry } from '../../model/job.ts';
import type { PlanProblem } from './plan-report.ts';

/** A table whose rows are the elements of an array in the records of a stream. It is written in the stream's lane, together with them. */
export interface ChildTable {
  readonly plan: UnwindPlan;
  readonly target: TargetStream;
  readonly targetPlan: TargetStreamPlan;
}

/** The child tables of a mapping, each before those below it. */
export function unwindPlans({ unwind }: Pick<MappingPlan | UnwindPlan, 'unwind'>): UnwindPlan[] {
  return unwind.flatMap((plan) => [plan, ...unwindPlans(plan)]);
}

/**
 * A deleted record that stays in the target, marked or not, keeps its children: the pipeline does not touch them then. An element that is gone is gone in
 * any case.
 */
export function childTargets(entry: StreamEntry, mapping: MappingPlan): TargetStream[] {
  return unwindPlans(mapping).map((plan) => ({
    stream: plan.mapping.stream,
    target: plan.target,
    shape: plan.mapping.shape,
    onDelete: 'delete' as const,
    drift: entry.drift,
    onLoss: plan.mapping.onLoss,
  }));
}

export function childTables(entry: StreamEntry, mapping: MappingPlan, planned: TargetPlan): ChildTable[] {
  const targets = childTargets(entry, mapping);
  return unwindPlans(mapping).flatMap((plan, index) => {
    const targetPlan = planned.streams.find(({ stream }) => stream === plan.mapping.stream);
    return targetPlan === undefined ? [] : [{ plan, target: targets[index] as TargetStream, targetPlan }];
  });
}

/** Names of streams, where names of child tables stand for the stream that they belong to. */
export function ownerNames(names: readonly string[], mappings: readonly MappingPlan[]): string[] {
  const owners = new Map(
    mappings.flatMap((mapping) => unwindPlans(mapping).map(({ target }) => [childStream(mapping.stream, target), mapping.stream] as const)),
  );
  return names.map((name) => owners.get(name) ?? name);
}

interface Checked {
  readonly entry: StreamEntry;
  readonly mapping: MappingPlan;
  readonly target: TargetStream;
}

/** What no mapping can know by itself: what the target can do, and who else writes there. */
export function childProblems(target: Target, streams: readonly Checked[]): PlanProblem[] {
  const written = new Map<string, string>(streams.map((one) => [one.target.target, `stream '${one.target.stream}'`]));
  return streams.flatMap(({ entry, mapping }) => {
    const problems: PlanProblem[] = [];
    const problem = (message: string) => problems.push({ severity: 'error', code: 'E_MAPPING_INVALID', message, ...entry.at });
    const plans = unwindPlans(mapping);
    if (plans.length === 0) return problems;
    if (target.replacesWithin !== true)
      problem(`stream '${mapping.stream}': 'unwind' needs a target that can replace the rows of a record, and this one cannot`);
    if (entry.guard !== null)
      problem(
        `stream '${mapping.stream}': 'guard' does not go with 'unwind': a record that the guard keeps out would still replace its rows in ${plans.map((plan) => `'${plan.target}'`).join(', ')}`,
      );
    for (const plan of plans) {
      const other = written.get(plan.target);
      if (other !== undefined)
        problem(
          `stream '${mapping.stream}': 'unwind' writes to '${plan.target}', and ${other} writes there too; each needs a table of its own`,
        );
      written.set(plan.target, `'unwind' of stream '${mapping.stream}'`);
    }
    return problems;
  });
}
