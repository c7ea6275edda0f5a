import { TrueupError } from '../errors.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';

/** @throws {TrueupError} `E_COMPARE_UNSUPPORTED` when a side cannot be read in the way that a comparison needs */
export function refuseUnreadable({ source, target }: JobContext, planned: PlannedStream): void {
  if (target.writes === 'log')
    throw unsupported(planned, `target '${planned.target.target}' is a log of changes, which holds no records to compare with`);
  if (target.scan === undefined) throw unsupported(planned, `target '${planned.target.target}' cannot be read back`);
  if (target.fetchBy === undefined) throw unreadableOnTarget(planned);
  if (source.fetchBy === undefined)
    throw unsupported(planned, 'the source cannot look records up by key, so that a change under way would pass for a difference');
}

export function unreadableOnTarget({ target }: Pick<PlannedStream, 'target'>): TrueupError {
  return unsupported({ name: target.stream }, `target '${target.target}' cannot look records up by key`);
}

function unsupported({ name }: Pick<PlannedStream, 'name'>, why: string): TrueupError {
  return new TrueupError('E_COMPARE_UNSUPPORTED', `stream '${name}': ${why}`);
}
