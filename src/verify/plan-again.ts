import { faultOf } from '../errors.ts';
import { sameShape } from '../model/shape.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import { planErrors, planJob } from '../pipeline/plan/plan.ts';
import type { JobPlan, PlannedStream } from '../pipeline/plan/plan.ts';

/** Each time one more field turned out to be other than samples said; a field widens once. */
const MAX_REPLANS = 20;

export interface PlanAgain {
  readonly context: JobContext;
  readonly planned: PlannedStream;
  readonly signal: AbortSignal;
  /** Told of the plan that holds from now on. */
  onPlan?(plan: JobPlan): void;
}

/**
 * Work on a stream whose fields may turn out wider than they were planned: documents are known from samples, until one is read that has a value of another type.
 * Then it is planned again, as a run would, and the work begins anew. A fault of the plan that planning again does not change is thrown.
 */
export async function planAgain<T>(of: PlanAgain, work: (planned: PlannedStream) => Promise<T>): Promise<T> {
  let { planned } = of;
  for (let replans = 0; ; replans++) {
    try {
      return await work(planned);
    } catch (error) {
      if (faultOf(error) !== 'plan' || replans >= MAX_REPLANS || of.signal.aborted) throw error;
      const plan = await planJob(of.context, of.signal, [planned.name]);
      const next = plan.streams.find(({ name }) => name === planned.name);
      if (next === undefined || planErrors(plan).length > 0 || sameShape(next.sourcePlan.shape, planned.sourcePlan.shape)) throw error;
      of.onPlan?.(plan);
      planned = next;
    }
  }
}

/** A plan in which some streams were planned again. */
export function withStreams(plan: JobPlan, { streams }: JobPlan): JobPlan {
  return { ...plan, streams: plan.streams.map((stream) => streams.find(({ name }) => name === stream.name) ?? stream) };
}
