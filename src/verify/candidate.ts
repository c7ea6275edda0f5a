import type { Cell } from '../model/cell.ts';

/** A record that was seen to differ, and what the last look at both sides found. */
export interface Candidate {
  /** Canonical text of the target's key, or a name of its own for a record that has none. */
  readonly key: string;
  /** The source's key, as far as it is known. */
  source: readonly Cell[] | null;
  /** The target's key; `null`: the mapping cannot make it. */
  target: readonly Cell[] | null;
  seen: Seen | null;
}

/** What a look at both sides found of one record. */
export interface Seen {
  /** `unlisted`: of a child table, the record is there without this row. `filtered`: the mapping's `where` keeps it out. `deleted`: it counts as deleted. `fault`: the mapping or the target does not take it. */
  readonly source: 'absent' | 'record' | 'unlisted' | 'filtered' | 'deleted' | 'fault';
  readonly inTarget: boolean;
  /** Where both hold it: the compared fields that differ, by position. Of a record at fault: none. */
  readonly fields: readonly number[];
  /** Two looks with the same content saw the same on both sides. */
  readonly content: string;
}

/** Whether the target is as the source wants it. A record that the target should not take is not there, or is a difference. */
export function agrees({ source, inTarget, fields }: Seen): boolean {
  if (source === 'record') return inTarget && fields.length === 0;
  return source !== 'fault' && !inTarget;
}

export function kindOf({ source, inTarget }: Seen): 'missing' | 'extra' | 'different' {
  if (!inTarget) return 'missing';
  return source === 'record' || source === 'fault' ? 'different' : 'extra';
}
