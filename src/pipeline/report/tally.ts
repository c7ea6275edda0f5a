import type { CommitResult, Conversion, TargetStream } from '../../model/contracts.ts';
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
  /** Children that records which were written carry, by embed. */
  embedded: Map<string, number>;
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
  /** Rows of child tables by the table, and embedded records by the field that holds them; absent where there are none. */
  children(): StreamReport['children'];
  conversions(): StreamReport['conversions'];
}

/** A child table of the stream. */
export interface TalliedChild {
  readonly target: Pick<TargetStream, 'stream' | 'target'>;
}

export function createTally(children: readonly TalliedChild[] = []): Tally {
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
  const embedded = new Map<string, number>();
  const conversions = new Map<string, { field: string; kind: string; count: number }>();
  const rows = new Map(children.map(({ target }) => [target.stream, { name: target.target, upserted: 0, deleted: 0 }]));
  const pending = nothingPending();

  function addConversions(all: readonly Conversion[], stream: string): void {
    for (const { stream: of, field: ofTable, kind, count } of all) {
      const child = rows.get(of);
      if (of !== stream && child === undefined) continue;
      const field = child === undefined ? ofTable : `${child.name}.${ofTable}`;
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
    for (const [name, child] of rows) {
      child.upserted += result.streams[name]?.upserted ?? 0;
      child.deleted += result.streams[name]?.deleted ?? 0;
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
      for (const [name, count] of pending.embedded) embedded.set(name, (embedded.get(name) ?? 0) + count);
      Object.assign(pending, nothingPending());
    },
    discard: () => Object.assign(pending, nothingPending()),
    counts: () => ({ ...counts }),
    children: () => {
      if (embedded.size + rows.size === 0) return undefined;
      const unwound = [...rows.values()].map(({ name, upserted, deleted }) => [name, { upserted, deleted }] as const);
      return Object.fromEntries([...[...embedded].map(([name, upserted]) => [name, { upserted }] as const), ...unwound]);
    },
    conversions: () => [...conversions.values()].map((entry) => ({ ...entry })),
  };
}

function nothingPending(): Pending {
  return {
    read: 0,
    filtered: 0,
    coalesced: 0,
    deadLettered: 0,
    exits: 0,
    bytes: 0,
    batches: 0,
    conversions: [],
    embedded: new Map(),
    written: [],
  };
}
