import type { RunSignals } from '../pipeline/job-context.ts';
import type { RunReport } from '../pipeline/report/report.ts';
import type { Clock } from './clock.ts';
import type { JobDesk, RunJob } from './job-desk.ts';

export interface RunStart {
  readonly name: string;
  readonly follow: boolean;
  readonly signals: RunSignals;
  readonly log: JobDesk['log'];
  readonly clock: Clock;
  readonly runJob: RunJob;
}

/** One run of a job, told in the log from start to end. Never rejects: whatever a run throws is its own failure. */
export async function startRun({ name: job, follow, signals, log, clock, runJob }: RunStart): Promise<RunReport['status'] | null> {
  if (signals.stop.aborted) return null;
  const startMs = clock.now();
  log.info({ job, follow }, follow ? 'following' : 'run started');
  try {
    const { run, status, exitCode, jobs } = await runJob(job, signals, { follow });
    const fields = { job, run, status, exitCode, durationMs: clock.now() - startMs };
    const error = jobs.find((one) => one.error !== undefined)?.error;
    const good = status === 'succeeded' || status === 'stopped';
    if (good) log.info(fields, 'run ended');
    else log.warn({ ...fields, ...(error === undefined ? {} : { code: error.code, error: error.message }) }, 'run ended');
    return status;
  } catch (error) {
    log.error({ job, err: error, durationMs: clock.now() - startMs }, 'run failed');
    return 'failed';
  }
}
