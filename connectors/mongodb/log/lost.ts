import { TrueupError } from '../../../src/sdk.ts';
import type { Session } from '../session.ts';
import { explainLogCursor } from './cursor.ts';
import type { LogCursor } from './cursor.ts';

/** @param why what the server says of it */
export function lostPosition({ where }: Session, at: LogCursor, why: string, cause?: unknown): TrueupError {
  return new TrueupError(
    'E_POSITION_LOST',
    `${where.address} cannot deliver the changes after ${explainLogCursor(at)}: ${why}. What was written since is known from the documents alone.`,
    cause === undefined ? {} : { cause },
  );
}
