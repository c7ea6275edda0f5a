import { UNSAID_LIMIT } from './delete-share.ts';
import type { DeleteLimit } from './delete-share.ts';
import type { ErrorCode } from '../../errors.ts';
import { checkScope } from '../../mapping/scope.ts';
import type { ScopePlan } from '../../mapping/scope.ts';
import type { MappingPlan } from '../../mapping/plan.ts';
import type { Source, StreamRef, Target } from '../../model/contracts.ts';
import type { StreamEntry } from '../../model/job.ts';
import type { Shape } from '../../model/shape.ts';
import { isEmbedding } from '../embed/embed-ref.ts';
import type { PlanProblem } from '../plan/plan-report.ts';

/** How both sides of a stream are compared in its runs. */
export interface ComparePlan extends DeleteLimit {
  /** `keys`: what the source no longer has is deleted. `records`: what differs is written as well, since nothing else tells of all changes (by snapshot, embed). */
  readonly what: 'keys' | 'records';
  /** Cron fields; `null`: in every run. */
  readonly schedule: string | null;
  /** `null`: every record of the target. */
  readonly scope: ScopePlan | null;
}

export interface CompareRequest {
  readonly entry: StreamEntry;
  readonly ref: StreamRef;
  /** The fields of the source, key included. */
  readonly shape: Shape;
  readonly mapping: MappingPlan;
  readonly source: Source;
  readonly target: Target;
}

/** How a log is compared once after it was loaded again: what was deleted in a gap is in no log any more. `null`: it cannot be. */
export function planAfterGap(request: CompareRequest): ComparePlan | null {
  if (request.ref.changes.by !== 'log' || lacking(request).length > 0) return null;
  return { what: 'keys', schedule: null, scope: null, ...UNSAID_LIMIT };
}

/** `plan` is `null` where nothing is compared, or cannot be. */
export function planCompare(request: CompareRequest): { readonly plan: ComparePlan | null; readonly problems: readonly PlanProblem[] } {
  const { entry, ref, mapping } = request;
  const compare = entry.deletes?.compare ?? null;
  const isSnapshot = ref.changes.by === 'snapshot';
  // Nothing else tells of children that are gone, or have moved elsewhere.
  const isWhole = isSnapshot || isEmbedding(ref);
  if (compare === null && !isSnapshot) return { plan: null, problems: [] };
  const lacks = lacking(request);
  const problem = (code: ErrorCode, message: string): PlanProblem => ({
    severity: 'error',
    code,
    message: `stream '${ref.name}': ${message}`,
    ...entry.at,
  });
  const what = isSnapshot ? 'changes by snapshot' : 'deletes.compare';
  const problems = lacks.map((text) => problem('E_CHANGES_UNSUPPORTED', `${what} needs ${text}`));
  if (isSnapshot && compare !== null && compare.schedule !== null)
    problems.push(
      problem(
        'E_CONFIG_INVALID',
        "'schedule' of deletes.compare has no meaning with changes by snapshot, which compares everything in every run",
      ),
    );
  const expr = compare?.scope ?? null;
  const scope = expr === null ? null : checkScope({ expr, source: request.shape, mapping, at: entry.at });
  problems.push(
    ...(scope?.diagnostics ?? []).map(({ severity, code, message, file, line, column }) => ({
      severity,
      code,
      message,
      file,
      line,
      column,
    })),
  );
  if (problems.length > 0) return { plan: null, problems };
  const plan: ComparePlan = {
    what: isWhole ? 'records' : 'keys',
    schedule: compare?.schedule ?? null,
    scope: scope?.plan ?? null,
    ...(compare === null ? UNSAID_LIMIT : { maxShare: compare.maxShare, shareCountsFrom: 0 }),
  };
  return { plan, problems };
}

/** What source and target would have to be able to do, in words. */
function lacking({ source, target }: CompareRequest): string[] {
  return [
    ...(source.fetchBy === undefined ? ['a source that can look records up by key, which this one cannot'] : []),
    ...(source.scan === undefined && source.splitBackfill === undefined
      ? ['a source that can be read as a whole, which this one cannot']
      : []),
    ...(target.scan === undefined ? ['a target that can be read back, which this one cannot'] : []),
    ...(target.ops.has('delete') ? [] : ['a target that can delete records, which this one cannot']),
  ];
}
