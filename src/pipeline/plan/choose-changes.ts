import type { ErrorCode } from '../../errors.ts';
import type { ChangeSpec, StreamInfo } from '../../model/contracts.ts';
import type { StreamEntry } from '../../model/job.ts';
import { fieldIndex } from '../../model/shape.ts';
import type { Shape } from '../../model/shape.ts';
import type { PlanProblem } from './plan-report.ts';

/** What is said of the changes of a stream, and where. */
export type ChosenChanges = Pick<StreamEntry, 'changes' | 'at'>;

/** How the changes of a stream are found: as it is said, or the best that there is. */
export function chooseChanges(entry: ChosenChanges, info: StreamInfo, problems: PlanProblem[]): ChangeSpec | null {
  const offered = info.changes.map((one) => one.by);
  if (entry.changes === null) {
    const best = info.changes[0];
    if (best === undefined) {
      problems.push(
        problemAt(
          entry,
          'E_CHANGES_UNSUPPORTED',
          `the source offers no change method for stream '${info.name}'. Name one with 'changes: { by: …, field: … }'`,
        ),
      );
      return null;
    }
    const field = best.fields?.[0];
    return field === undefined ? { by: best.by } : { by: best.by, field };
  }
  const { by, field } = entry.changes;
  const offer = info.changes.find((one) => one.by === by);
  if (field !== undefined && fieldIndex(info.shape, field) === -1) {
    problems.push(
      problemAt(
        entry,
        'E_STREAM_UNKNOWN',
        `changes: '${field}' is not a field of source stream '${info.name}'. Fields: ${fieldList(info.shape)}`,
      ),
    );
    return null;
  }
  // A named field is the user's word: the source checks it in its own plan. Without one, or for another method, it must be on offer.
  const checkedLater = (field !== undefined && (by === 'cursor' || by === 'sequence')) || info.afterSetup?.includes(by) === true;
  if (offer === undefined && !checkedLater) {
    problems.push(
      problemAt(
        entry,
        'E_CHANGES_UNSUPPORTED',
        `the source cannot deliver changes of '${info.name}' by '${by}'. It offers: ${offered.join(', ') || 'none'}`,
      ),
    );
    return null;
  }
  if (field !== undefined) return { by, field };
  const best = offer?.fields?.[0];
  return best === undefined ? { by } : { by, field: best };
}

export function fieldList(shape: Shape): string {
  return shape.fields.map((field) => field.name).join(', ');
}

export function problemAt({ at }: Pick<StreamEntry, 'at'>, code: ErrorCode, message: string): PlanProblem {
  return { severity: 'error', code, message, ...at };
}
