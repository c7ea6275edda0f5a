import { expect } from 'vitest';
import type { StreamVerifyReport, VerifyReport } from '../../src/verify/verify-report.ts';
import type { Exit } from '../processes.ts';
import type { Scenario } from './scenario.ts';

export interface Verified {
  readonly code: number | null;
  readonly report: VerifyReport;
  /** The stream's report; the only one, unless it is named. */
  stream(name?: string): StreamVerifyReport;
}

/** `trueup verify --json` and its report. */
export async function verify(scenario: Scenario, ...args: readonly string[]): Promise<Verified> {
  return verifiedOf(await scenario.trueup('verify', '--json', ...args));
}

export function verifiedOf(exit: Exit): Verified {
  let report: VerifyReport;
  try {
    report = JSON.parse(exit.stdout) as VerifyReport;
    expect(report.exitCode).toBe(exit.code);
    expect(report.consistent).toBe(exit.code === 0);
  } catch (cause) {
    throw new Error(`not a report (exit ${exit.code}, ${exit.signal}):\n${exit.stdout}\n${exit.stderr}`, { cause });
  }
  return {
    code: exit.code,
    report,
    stream(name) {
      const found = name === undefined ? report.streams[0] : report.streams.find((one) => one.stream === name);
      if (found === undefined) throw new Error(`no stream '${name}' in ${exit.stdout}\n${exit.stderr}`);
      return found;
    },
  };
}
