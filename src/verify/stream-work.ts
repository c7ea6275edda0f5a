import type { ChildTable } from '../pipeline/plan/child-tables.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import type { Expectation } from '../reconcile/expected.ts';
import type { ComparedStream } from '../reconcile/stream-sides.ts';

/** A stream that is being verified. */
export interface StreamWork {
  readonly context: JobContext;
  readonly planned: PlannedStream;
  /** Streams that share its changes feed, itself among them. */
  readonly together: readonly PlannedStream[];
  readonly compared: ComparedStream;
  /** The child table that is compared; `null`: the stream's own target. */
  readonly child: ChildTable | null;
  readonly expected: Expectation;
  readonly signal: AbortSignal;
}
