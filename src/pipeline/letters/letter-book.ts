import { TrueupError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Cell, Row } from '../../model/cell.ts';
import type { Letter, LetterKey } from '../../model/checkpoint.ts';
import type { Job } from '../../model/job.ts';
import { keyToText } from '../../model/key-text.ts';
import { decodedCell } from '../../model/records.ts';
import type { Records } from '../../model/records.ts';
import type { Shape } from '../../model/shape.ts';

/** The share of dead letters counts only once this many records were read: one bad row of ten is no flood. */
const SHARE_COUNTS_FROM = 1_000;

/** What one feed has set aside, or delivered after all, since its last commit. */
export interface PendingLetters {
  readonly letters: Map<string, Letter>;
  readonly resolved: Map<string, LetterKey>;
}

/**
 * The dead letters of a job while it runs: which keys have one, and how many are new. One book for all feeds of the run, so that the
 * limits hold for the run as a whole.
 */
export interface LetterBook {
  /** Whether any key of the stream has a letter. Spares the key's text for streams without. */
  knows(stream: string): boolean;
  has(stream: string, key: string): boolean;
  /** Keys of letters of one kind, those without a readable key left out. */
  keys(stream: string, kind: Letter['kind']): string[];
  /** Sets a record aside. Throws E_LETTERS when that is more than the job allows. */
  add(pending: PendingLetters, fault: LetterFault): void;
  /** Notes that a key was delivered. */
  resolve(pending: PendingLetters, stream: string, key: string): void;
  /** What was pending is durable. */
  settle(pending: PendingLetters): void;
  discard(pending: PendingLetters): void;
  /** Records read so far in the run, for the share. */
  countRead(records: number): void;
  /** Letters that are new in this run and still there. */
  newLetters(): number;
  /** All letters of the job that are there, those of earlier runs included. */
  openLetters(): number;
}

export interface LetterFault {
  readonly stream: string;
  /** Canonical key text, or `position:…`. */
  readonly key: string;
  readonly kind: Letter['kind'];
  readonly code: ErrorCode;
  readonly message: string;
  readonly payload?: Exclude<Letter['payload'], undefined>;
}

export function createLetterBook(job: Job, run: string, existing: readonly Letter[], now: () => number): LetterBook {
  const known = new Map<string, Map<string, Letter['kind']>>();
  const fresh = new Set<string>();
  /** Keys that are new and not durable yet, over all feeds. */
  let pendingNew = 0;
  let read = 0;
  for (const letter of existing) ofStream(letter.stream).set(letter.key, letter.kind);

  function ofStream(stream: string): Map<string, Letter['kind']> {
    let keys = known.get(stream);
    if (keys === undefined) known.set(stream, (keys = new Map<string, Letter['kind']>()));
    return keys;
  }

  function refuseTooMany(): void {
    const { stopAfter, stopShare } = job.deadLetters;
    const count = fresh.size + pendingNew;
    if (count > stopAfter)
      throw new TrueupError(
        'E_LETTERS',
        `job '${job.name}': more than ${stopAfter} records cannot be written (deadLetters.stopAfter). The run stopped at its last checkpoint`,
      );
    if (read >= SHARE_COUNTS_FROM && count / read > stopShare)
      throw new TrueupError(
        'E_LETTERS',
        `job '${job.name}': ${count} of ${read} records cannot be written, more than the share ${stopShare} (deadLetters.stopShare). The run stopped at its last checkpoint`,
      );
  }

  return {
    knows: (stream) => (known.get(stream)?.size ?? 0) > 0,
    has: (stream, key) => known.get(stream)?.has(key) === true,
    keys: (stream, kind) =>
      [...(known.get(stream) ?? [])].flatMap(([key, is]) => (is === kind && !key.startsWith('position:') ? [key] : [])),
    add(pending, { stream, key, ...fault }) {
      const name = `${stream}\u0000${key}`;
      if (!pending.letters.has(name) && !ofStream(stream).has(key)) pendingNew += 1;
      pending.resolved.delete(name);
      pending.letters.set(name, { job: job.name, stream, key, run, at: new Date(now()).toISOString(), attempts: 1, ...fault });
      refuseTooMany();
    },
    resolve(pending, stream, key) {
      const name = `${stream}\u0000${key}`;
      pending.resolved.set(name, { job: job.name, stream, key });
      if (pending.letters.delete(name) && !ofStream(stream).has(key)) pendingNew -= 1;
    },
    settle(pending) {
      for (const [name, letter] of pending.letters) {
        const keys = ofStream(letter.stream);
        if (!keys.has(letter.key)) {
          fresh.add(name);
          pendingNew -= 1;
        }
        keys.set(letter.key, letter.kind);
      }
      for (const [name, { stream, key }] of pending.resolved) {
        fresh.delete(name);
        ofStream(stream).delete(key);
      }
      clear(pending);
    },
    discard(pending) {
      for (const { stream, key } of pending.letters.values()) if (!ofStream(stream).has(key)) pendingNew -= 1;
      clear(pending);
    },
    countRead: (records) => void (read += records),
    newLetters: () => fresh.size,
    openLetters: () => [...known.values()].reduce((sum, keys) => sum + keys.size, 0),
  };
}

export function noLetters(): PendingLetters {
  return { letters: new Map(), resolved: new Map() };
}

function clear(pending: PendingLetters): void {
  pending.letters.clear();
  pending.resolved.clear();
}

/** The key of a record as letters are filed under it, whether its cells are decoded or not. Throws when a key cell cannot be read. */
export function letterKey(shape: Shape, records: Records, row: Row): string {
  const decoded: Cell[] = [];
  for (const index of shape.key) decoded[index] = decodedCell(records, row, index);
  return keyToText(shape, decoded);
}

/** The same from key cells that are carriers, in key order. */
export function letterKeyOf(shape: Shape, key: readonly Cell[]): string {
  const row: Cell[] = [];
  shape.key.forEach((index, position) => (row[index] = key[position]));
  return keyToText(shape, row);
}
