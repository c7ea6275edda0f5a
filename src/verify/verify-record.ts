import type { RunRecord } from '../model/checkpoint.ts';
import { statusOf } from '../pipeline/report/exit-code.ts';
import type { VerifyReport } from './verify-report.ts';

/** Differences are what a verify is there to find: finding some is no failure of it. */
export function recordedStatus({ exitCode }: VerifyReport): RunRecord['status'] {
  return exitCode === 4 ? 'succeeded' : statusOf(exitCode);
}

/** The report as the history keeps it: no value of a row outlives its printing. */
export function withoutValues(report: VerifyReport): VerifyReport {
  return {
    ...report,
    streams: report.streams.map((stream) => ({
      ...stream,
      samples: stream.samples.map((sample) => ({ ...sample, fields: sample.fields.map(({ field }) => ({ field })) })),
    })),
  };
}

/** For `status`: what the last verify found, if it came to an end. */
export function lastVerify(record: RunRecord | undefined): {
  readonly lastVerify?: { readonly run: string; readonly at: string; readonly consistent: boolean };
} {
  if (record?.endedAt === undefined) return {};
  return { lastVerify: { run: record.run, at: record.endedAt, consistent: record.exitCode === 0 } };
}
