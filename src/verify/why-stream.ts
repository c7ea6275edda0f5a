import { TrueupError } from '../errors.ts';
import type { Feed } from '../model/feed.ts';
import { knownNames } from '../model/suggest.ts';
import type { ChildTable } from '../pipeline/plan/child-tables.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { JobPlan, PlannedStream } from '../pipeline/plan/plan.ts';

/** A stream of a job with the changes feed that brings it, and the streams it shares that feed with. */
export interface FeedStream {
  readonly planned: PlannedStream;
  readonly feed: Feed;
  readonly together: readonly PlannedStream[];
  /** The child table that is meant, whose rows are parts of the stream's records. */
  readonly child: ChildTable | null;
}

/**
 * The stream that a person means: by its name in the source, by that of its target, or by that of a child table.
 *
 * @throws {TrueupError} the problem that keeps the stream from being planned; `E_USAGE` for a name that the job does not have
 */
export function namedStream(context: JobContext, plan: JobPlan, name: string): FeedStream {
  const own = plan.streams.find((one) => one.name === name) ?? byTarget(plan, name);
  const child = own === undefined ? childOf(plan, name) : null;
  const planned = own ?? plan.streams.find(({ children }) => child !== null && children.includes(child));
  if (planned === undefined) throw unknownStream(context, plan, name);
  const feed = context.source.feeds(plan.streams.map((one) => one.ref)).find((one) => one.streams.includes(planned.name));
  if (feed === undefined) throw new TrueupError('E_BUG', `stream '${planned.name}' is in no feed of its source`);
  return { planned, feed, together: plan.streams.filter((one) => feed.streams.includes(one.name)), child };
}

function byTarget(plan: JobPlan, name: string): PlannedStream | undefined {
  const found = plan.streams.filter((one) => one.target.target === name);
  if (found.length > 1)
    throw new TrueupError('E_USAGE', `several streams write '${name}': ${found.map((one) => `'${one.name}'`).join(', ')}`, {
      hint: 'Name the stream of the source.',
    });
  return found[0];
}

function childOf(plan: JobPlan, name: string): ChildTable | null {
  return plan.streams.flatMap(({ children }) => children).find(({ target }) => target.target === name) ?? null;
}

function unknownStream({ job }: JobContext, plan: JobPlan, name: string): TrueupError {
  const errors = plan.problems.filter((problem) => problem.severity === 'error');
  // A stream that could not be planned is in no list: its problem says more than that it is unknown.
  const isConfigured = job.streams.some((entry) => entry.from === name || entry.to === name);
  const problem = errors.find((one) => one.message.includes(`'${name}'`)) ?? (isConfigured ? errors[0] : undefined);
  if (problem !== undefined) return new TrueupError(problem.code, problem.message);
  const known = plan.streams.map((one) => one.name);
  const targets = plan.streams
    .flatMap((one) => [one, ...one.children].map(({ target }) => target.target))
    .filter((target) => !known.includes(target));
  return new TrueupError('E_USAGE', `job '${job.name}' has no stream '${name}'.${knownNames(name, [...known, ...targets], 'Streams')}`, {
    hint: 'Name a stream as the source calls it, or its target, or a child table.',
  });
}
