import PQueue from 'p-queue';
import type { JobContext, RunSignals } from '../pipeline/job-context.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { followContinuous } from './continuous-job.ts';
import { followCron } from './cron-job.ts';
import type { JobDesk, RunJob, ScheduledJob } from './job-desk.ts';
import { startRun } from './start-run.ts';

export interface SchedulerOptions {
  readonly jobs: readonly ScheduledJob[];
  readonly runJob: RunJob;
  /** When the last run of a job started, also by hand or in another process. */
  lastRunAt(name: string): Promise<Date | null>;
  /** Most cron jobs at a time; the others wait in the order of their turns. Continuous jobs run beside them, or they would fill it for ever. */
  readonly concurrency: number;
  readonly log: JobContext['log'];
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

export interface Scheduler {
  /** Runs until `stop`: no turn is taken any more, and every run is told. Resolves when all have ended; nothing of it keeps the process alive then. */
  run(signals: RunSignals): Promise<void>;
  /** The next turn of a cron job while it runs; `null` for a continuous one and before. */
  nextRunAt(name: string): Date | null;
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { jobs, log, clock = systemClock, random = Math.random } = options;
  const nextRuns = new Map<string, Date>();
  return {
    nextRunAt: (name) => nextRuns.get(name) ?? null,

    async run(signals) {
      const queue = new PQueue({ concurrency: options.concurrency });
      const desks = jobs.map((job): JobDesk => {
        const run = (follow: boolean): ReturnType<JobDesk['run']> =>
          startRun({ name: job.name, follow, signals, log, clock, runJob: options.runJob });
        return {
          job,
          signals,
          clock,
          random,
          log,
          run: (follow) => (follow ? run(true) : queue.add(() => run(false))),
          lastRunAt: () => options.lastRunAt(job.name),
          plan: (nextMs) => void nextRuns.set(job.name, new Date(nextMs)),
        };
      });
      await Promise.all(
        desks.map((desk) => (desk.job.schedule.kind === 'continuous' ? followContinuous(desk) : followCron(desk, desk.job.schedule))),
      );
      nextRuns.clear();
    },
  };
}
