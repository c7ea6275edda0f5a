import type { Guarantee } from '../../src/model/guarantee.ts';
import type { JobReport, RunReport, StreamReport } from '../../src/pipeline/report/report.ts';

/** Reports as a run makes them, to be drawn. */
export const STRONG: Guarantee = {
  delivery: 'exactly-once-effect',
  lateCommits: 'delivered',
  deletes: 'never',
  staleWrites: 'refused',
  fidelity: 'exact',
  assumes: ['every write to public.orders sets updated_at'],
};

export function streamReport(parts: Partial<StreamReport> = {}): StreamReport {
  return {
    stream: 'public.orders',
    target: 'public.orders',
    status: 'succeeded',
    phase: 'backfill',
    form: 'cells',
    read: 200_000,
    filtered: 0,
    coalesced: 0,
    upserted: 200_000,
    unchanged: 0,
    deleted: 0,
    superseded: 0,
    deadLettered: 0,
    lettersResolved: 0,
    bytes: 12_345_678,
    batches: 20,
    retries: 0,
    conversions: [],
    caughtUp: true,
    ...parts,
  };
}

export function jobReport(parts: Partial<JobReport> = {}): JobReport {
  return {
    job: 'shop-to-archive',
    epoch: 7,
    status: 'succeeded',
    exitCode: 0,
    checkpoints: 'atomic',
    guarantee: STRONG,
    streams: [streamReport()],
    ...parts,
  };
}

export function runReport(jobs: readonly JobReport[] = [jobReport()], parts: Partial<RunReport> = {}): RunReport {
  return {
    command: 'run',
    run: '01JDEMO',
    status: jobs[0]?.status ?? 'succeeded',
    exitCode: jobs[0]?.exitCode ?? 0,
    startedAt: '2026-11-24T10:00:00.000Z',
    endedAt: '2026-11-24T10:00:00.812Z',
    durationMs: 812,
    jobs,
    ...parts,
  };
}
