import { randomUUID } from 'node:crypto';
import { TrueupError } from '../../src/sdk.ts';
import type { Row, Shape, WrittenBy } from '../../src/sdk.ts';
import { cellsText } from './cells.ts';
import type { Change, Collection, LogEntry, StoredRow } from './collection.ts';
import { openControl } from './control.ts';
import type { Control } from './control.ts';
import { patched, realign } from './rows.ts';
import { Transaction } from './transaction.ts';

const databases = new Map<string, MemoryDatabase>();

/** The database of this name in this process, made on first use. What `connector: memory, database: <name>` opens. */
export function memoryDatabase(name: string): MemoryDatabase {
  const existing = databases.get(name);
  if (existing !== undefined) return existing;
  const made = new MemoryDatabase(name);
  databases.set(name, made);
  return made;
}

/** Whose log entries with `after < sequence <= upTo` are. */
export interface LaneCommit extends WrittenBy {
  readonly after: number;
  readonly upTo: number;
}

const KEPT_COMMITS = 10_000;

/** Forgets the database; the next `memoryDatabase` of its name begins empty, as another database. */
export function dropMemoryDatabase(name: string): void {
  databases.delete(name);
}

/** Named collections and one change log. Writes happen in transactions, which commit in one step: nobody sees half of one. */
export class MemoryDatabase {
  readonly name: string;
  /** Names the data: another after `dropMemoryDatabase`. */
  readonly identity: string = `memory:${randomUUID()}`;
  readonly collections = new Map<string, Collection>();
  /** Checkpoints, leases and letters of the jobs that write here. */
  readonly control: Control = openControl();
  /** Commits of lanes, oldest first; only the newest are kept. */
  readonly commits: LaneCommit[] = [];
  #log: LogEntry[] = [];
  #trimmed = 0;
  readonly #waiting = new Set<() => void>();

  constructor(name: string) {
    this.name = name;
  }

  /** Sequence of the newest log entry; 0: nothing was written yet. */
  get version(): number {
    return this.#trimmed + this.#log.length;
  }

  /** Makes a collection, or gives it another shape: values stay by field name, new fields are NULL, fields that went lose their values. */
  define(name: string, shape: Shape): void {
    const before = this.collections.get(name);
    const rows = new Map<string, StoredRow>();
    for (const [key, stored] of before?.rows ?? [])
      rows.set(key, { ...stored, cells: realign(stored.cells, before?.shape ?? shape, shape) });
    this.collections.set(name, { name, shape, rows });
  }

  collection(name: string): Collection {
    const collection = this.collections.get(name);
    if (collection !== undefined) return collection;
    const known = [...this.collections.keys()].sort().join(', ') || 'none';
    throw new TrueupError('E_STREAM_UNKNOWN', `memory database '${this.name}' has no collection '${name}'. Collections: ${known}.`);
  }

  begin(): Transaction {
    return new Transaction(this);
  }

  /** One transaction: commits what `work` wrote, or nothing when it throws. */
  write(work: (transaction: Transaction) => void): void {
    const transaction = this.begin();
    work(transaction);
    transaction.commit();
  }

  /** Runs `work`, which commits a transaction, and keeps whose that was. */
  noteCommit(by: WrittenBy, work: () => void): void {
    const after = this.version;
    work();
    if (this.version === after) return;
    this.commits.push({ ...by, after, upTo: this.version });
    if (this.commits.length > KEPT_COMMITS) this.commits.shift();
  }

  rows(name: string): Row[] {
    return [...this.collection(name).rows.values()].map((stored) => stored.cells);
  }

  /** Log entries with `after < sequence <= upTo`. Throws E_POSITION_LOST when they are partly gone. */
  *log(after: number, upTo: number): Generator<LogEntry> {
    if (after < this.#trimmed)
      throw new TrueupError(
        'E_POSITION_LOST',
        `The log of memory database '${this.name}' begins at ${this.#trimmed + 1}; entry ${after + 1} is gone.`,
      );
    for (let index = after - this.#trimmed; index < upTo - this.#trimmed; index++) yield this.#log[index] as LogEntry;
  }

  /** Forgets the log up to and including `sequence`, as a system with limited retention does. */
  trimLog(sequence: number): void {
    this.#log = this.#log.slice(Math.max(0, sequence - this.#trimmed));
    this.#trimmed = Math.max(this.#trimmed, sequence);
  }

  /** Called by a transaction. Synchronous, and therefore atomic. */
  apply(changes: readonly Change[]): void {
    const timeMs = Date.now();
    for (const [index, change] of changes.entries()) {
      const collection = this.collection(change.collection);
      const entry = { ...change, sequence: this.version + 1, shape: collection.shape, last: index === changes.length - 1, timeMs };
      this.#log.push(entry);
      applyEntry(collection, entry);
    }
    for (const wake of this.#waiting) wake();
  }

  /** Resolves once something was committed after `version`. Rejects with the signal's reason. */
  async changedSince(version: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.version > version) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => reject(signal.reason as Error);
    this.#waiting.add(resolve);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      this.#waiting.delete(resolve);
      signal.removeEventListener('abort', abort);
    }
  }
}

function applyEntry(collection: Collection, entry: LogEntry): void {
  const key = cellsText(entry.key);
  switch (entry.op) {
    case 'upsert':
      collection.rows.set(key, { cells: entry.row ?? [], version: entry.sequence });
      break;
    case 'patch':
      collection.rows.set(key, { cells: patched(collection.rows.get(key)?.cells ?? [], entry.row ?? []), version: entry.sequence });
      break;
    case 'delete':
      collection.rows.delete(key);
      break;
    case 'truncate':
      collection.rows.clear();
      break;
    case 'touch':
      break;
  }
}
