import { TrueupError, isTrueupError } from 'trueup/sdk';
import type { ErrorCode } from 'trueup/sdk';

/** Primary result codes, https://www.sqlite.org/rescode.html. */
const CODES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  1: ['E_PLAN_CHANGED', 'does not have a table or column as it was planned'],
  3: ['E_ACCESS', 'may not be opened by this user'],
  5: ['E_BUSY', 'has been locked by another process for too long'],
  6: ['E_BUSY', 'has been locked by another connection for too long'],
  8: ['E_ACCESS', 'cannot be written by this user'],
  10: ['E_RESOURCES', 'cannot be read or written: the disk fails'],
  11: ['E_ACCESS', 'is damaged'],
  13: ['E_RESOURCES', 'cannot grow: the disk is full'],
  14: ['E_ACCESS', 'cannot be opened'],
  17: ['E_PLAN_CHANGED', 'was changed while it was read'],
  18: ['E_RECORD_TOO_LARGE', 'cannot hold a record of this size'],
  19: ['E_RECORD_VALUE', 'refuses a record by a constraint'],
  20: ['E_RECORD_VALUE', 'refuses the type of a value'],
  26: ['E_ACCESS', 'is no SQLite database'],
};
const FOREIGN_KEY = 787;

function resultCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : null;
}

export function isBusy(error: unknown): boolean {
  const code = (resultCode(error) ?? 0) & 0xff;
  return code === 5 || code === 6;
}

/**
 * What SQLite threw, by the code that says what happens next: retried, stopped, or a dead letter. Its own message stays out of it where it could hold a
 * value of a row.
 */
export function faultOf(path: string, error: unknown): unknown {
  const code = resultCode(error);
  if (code === null || isTrueupError(error)) return error;
  const known = CODES[code & 0xff];
  if (known === undefined) return error;
  const [fault, what] = code === FOREIGN_KEY ? (['E_RECORD_ORDER', 'lacks a row that a record refers to'] as const) : known;
  const detail = fault === 'E_PLAN_CHANGED' && error instanceof Error ? ` (${error.message})` : '';
  return new TrueupError(fault, `The SQLite file ${path} ${what}${detail}.`, { cause: error });
}
