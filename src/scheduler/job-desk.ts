import type { JobContext, RunSignals } from '../pipeline/job-context.ts';
import type { RunReport } from '../pipeline/report/report.ts';
import type { Clock } from './clock.ts';
import type { Schedule } from './turn.ts';

export interface ScheduledJob {
  readonly name: string;
  readonly schedule: Schedule;
}

/** Runs a job once, or with `follow` until it is stopped. May throw: a job that fails stops no other. */
export type RunJob = (name: string, signals: RunSignals, how: { readonly follow: boolean }) => Promise<RunReport>;

/** What one job of the scheduler works with. */
export interface JobDesk {
  readonly job: ScheduledJob;
  readonly signals: RunSignals;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: JobContext['log'];
  /** Waits for a place among the running jobs, then runs. Never rejects; `null` when it was stopped before it began. */
  run(follow: boolean): Promise<RunReport['status'] | null>;
  lastRunAt(): Promise<Date | null>;
  /** Tells when the next turn is. */
  plan(nextMs: number): void;
}
