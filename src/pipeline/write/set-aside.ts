import { ERROR_CODES } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Json } from '../../model/json.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';

export interface Fault {
  readonly key: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly payload?: Json;
}

/** Sets one record aside as a dead letter. */
export function setAside(run: FeedRun, stream: StreamRun, fault: Fault): void {
  stream.tally.pending.deadLettered += 1;
  const kind = ERROR_CODES[fault.code].fault === 'order' ? 'order' : 'record';
  run.book.add(run.pending, { stream: stream.planned.name, kind, ...fault });
}
