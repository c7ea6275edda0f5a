import type { CommitResult, Conversion } from '../model/contracts.ts';
import type { StreamReport } from './report.ts';

/** What was read, mapped and set aside since the last commit. Counts only once that is durable. */
export interface Pending {
  read: number;
  filtered: number;
  coalesced: number;
  deadLettered: number;
  exits: number;
  bytes: number;
  batches: number;
  conversions: Conversion[];
  /** Results of commits that moved no checkpoint. */
  written: CommitResult[];
}

export type DurableCounts = Pick<
  StreamReport,
  | 'read'
  | 'filtered'
  | 'coalesced'
  | 'upserted'
  | 'unchanged'
  | 'deleted'
  | 'superseded'
  | 'deadLettered'
  | 'lettersResolved'
  | 'bytes'
  | 'batches'
>;

/** The durable counts of one stream in one run. */
export interface Tally {
  readonly pending: Pending;
  /** Adds what is pending and what the commit says to the durable counts. */
  settle(stream: string, result: CommitResult): void;
  /** Keeps counts of rows that became durable while their reads are still pending. */
  addWritten(result: CommitResult): void;
  /** Forgets what is pending: it was not written. */
  discard(): void;
  counts(): DurableCounts;
  conversions(): StreamReport['conversions'];
}

export function createTally(): Tally {
  const counts = {
    read: 0,
    filtered: 0,
    coalesced: 0,
    upserted: 0,
    unchanged: 0,
    deleted: 0,
    superseded: 0,
    deadLettered: 0,
    lettersResolved: 0,
    bytes: 0,
    batches: 0,
  };
  const conversions = new Map<string, { field: string; kind: string; count: number }>();
  const pending = nothingPending();

  function addConversions(all: readonly Conversion[], stream: string): void {
    for (const { stream: of, field, kind, count } of all) {
      if (of !== stream) continue;
      const name = JSON.stringify([field, kind]);
      const entry = conversions.get(name);
      if (entry === undefined) conversions.set(name, { field, kind, count });
      else entry.count += count;
    }
  }

  function countWritten(stream: string, result: CommitResult): void {
    const written = result.streams[stream];
    if (written !== undefined) {
      // A record that left the filter and was not in the target is filtered; any other delete of an absent row changes nothing.
      const exitsAbsent = Math.min(pending.exits, written.absent);
      pending.exits -= exitsAbsent;
      counts.filtered += exitsAbsent;
      counts.unchanged += written.unchanged + written.absent - exitsAbsent;
      counts.upserted += written.upserted;
      counts.deleted += written.deleted;
      counts.superseded += written.superseded;
    }
    addConversions(result.conversions ?? [], stream);
  }

  return {
    pending,
    addWritten: (result) => void pending.written.push(result),
    settle(stream, result) {
      for (const one of [...pending.written, result]) countWritten(stream, one);
      counts.read += pending.read;
      counts.filtered += pending.filtered;
      counts.coalesced += pending.coalesced;
      counts.deadLettered += pending.deadLettered;
      counts.bytes += pending.bytes;
      counts.batches += pending.batches;
      counts.lettersResolved += result.lettersResolved;
      addConversions(pending.conversions, stream);
      Object.assign(pending, nothingPending());
    },
    discard: () => Object.assign(pending, nothingPending()),
    counts: () => ({ ...counts }),
    conversions: () => [...conversions.values()].map((entry) => ({ ...entry })),
  };
}

function nothingPending(): Pending {
  return { read: 0, filtered: 0, coalesced: 0, deadLettered: 0, exits: 0, bytes: 0, batches: 0, conversions: [], written: [] };
}
