import { createHash } from 'node:crypto';
import type { Json } from '../../model/json.ts';

/** What a backfill is limited to. */
export interface BackfillScope {
  /** First and last key, both included, as typed: the plain value, or a JSON array for composite keys. */
  readonly from?: string;
  readonly to?: string;
  /** A condition in the source's own notation. */
  readonly where?: Json;
  readonly partitions?: number;
}

/** Whether it covers less than the whole stream. */
export function isLimited({ from, to, where }: BackfillScope): boolean {
  return from !== undefined || to !== undefined || where !== undefined;
}

/** The end of the id of every feed of a limited backfill, so that one backfill is never taken for another. Empty: the whole stream. */
export function scopeMark(scope: BackfillScope): string {
  if (!isLimited(scope)) return '';
  const { from = null, to = null, where = null } = scope;
  return `~${createHash('sha256')
    .update(JSON.stringify([from, to, where]))
    .digest('hex')
    .slice(0, 8)}`;
}

/** The id of a feed of a limited backfill. */
export const LIMITED = /~[0-9a-f]{8}$/;
