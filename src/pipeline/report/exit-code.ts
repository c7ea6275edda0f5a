import { faultOf, isTrueupError } from '../../errors.ts';
import type { Fault } from '../../errors.ts';
import type { RunStatus } from './report.ts';

/** From the gravest to none. When jobs or streams disagree, the first of these that occurred is the answer. */
const GRAVITY = [70, 2, 6, 7, 1, 5, 130, 143, 3, 4, 0] as const;

const EXIT_OF_FAULT: Readonly<Record<Fault, number>> = {
  config: 2,
  record: 1,
  order: 1,
  environment: 1,
  unreachable: 7,
  access: 7,
  plan: 1,
  limit: 5,
  skipped: 3,
  fenced: 6,
  stopped: 143,
  bug: 70,
};

/** The exit code of a command that an error ended. */
export function exitCodeOf(error: unknown): number {
  return isTrueupError(error) ? EXIT_OF_FAULT[error.fault] : EXIT_OF_FAULT[faultOf(error)];
}

export function combineExitCodes(codes: Iterable<number>): number {
  const seen = new Set(codes);
  for (const code of seen) if (!(GRAVITY as readonly number[]).includes(code)) return code;
  return GRAVITY.find((code) => seen.has(code)) ?? 0;
}

/** `stopped` may be 0 as well (after `--max-time`), so a status is decided where that is known. */
export function statusOf(exitCode: number): RunStatus {
  switch (exitCode) {
    case 0:
      return 'succeeded';
    case 3:
      return 'incomplete';
    case 6:
      return 'fenced';
    case 130:
    case 143:
      return 'stopped';
    default:
      return 'failed';
  }
}
