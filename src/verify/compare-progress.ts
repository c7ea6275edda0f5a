import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import type { StreamRequest } from './verify-stream.ts';

/** How often it is told, at most (ms). */
const EVERY_MS = 100;

/** Tells how far the comparison of a stream has come, now and then. */
export function compareProgress(context: JobContext, planned: PlannedStream): Pick<StreamRequest, 'onRead'> {
  const rows = { source: 0, target: 0 };
  const estimate = planned.sourcePlan.rowEstimate;
  let phase = '';
  let toldAt = 0;
  return {
    onRead(now, side, records) {
      if (now !== phase) Object.assign(rows, { source: 0, target: 0 });
      rows[side] += records;
      const at = context.now();
      if (now === phase && at - toldAt < EVERY_MS) return;
      phase = now;
      toldAt = at;
      const expected = now === 'reading' && estimate !== undefined ? { rowEstimate: estimate } : {};
      context.onEvent({ kind: 'comparing', job: context.job.name, stream: planned.name, phase: now, ...rows, ...expected });
    },
  };
}
