import type { Source, StreamRef } from '../model/contracts.ts';
import type { Form } from '../model/records.ts';

/** A record of the stream under test. The suite chooses the values: `id` from 1 up to 1,000,000, `label` any text. */
export interface TestRecord {
  readonly id: number;
  readonly label: string | null;
}

/** An open transaction in the source system, seen by nobody else until it commits. */
export interface TestTransaction {
  insert(records: readonly TestRecord[]): Promise<void>;
  update(records: readonly TestRecord[]): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/**
 * One empty stream of a real system, which the suite alone changes, and a source that reads it. Changes go to the system itself, past the
 * source. Every call is one transaction: where a change method knows ties (`updated_at = now()`), the records of one call share one cursor value.
 */
export interface SourceFixture {
  /** `key` is the field of `id` alone; `fields: null`. Further fields may be there, the richer in types the better. */
  readonly stream: StreamRef;
  /** What the fields of a test record are called. `id`: int32, int64, decimal or text. `label`: text, nullable. */
  readonly fields: { readonly id: string; readonly label: string };
  /**
   * `after-interruption`: a cursor out of the middle of a drain may deliver records again (a fence that repeats). `always`: every drain may, because
   * the source cannot tell a late commit from what it delivered before. Default `never`.
   */
  readonly repeats?: 'never' | 'after-interruption' | 'always';
  /** A start cursor is taken only when every open transaction has ended, as the place where a log begins. */
  readonly startWaits?: true;
  /** The wire form that is asked for. Default: cells. */
  readonly form?: Form;
  /** A new source over the same data each time, as another process would open it. */
  open(): Source;
  insert(records: readonly TestRecord[]): Promise<void>;
  update(records: readonly TestRecord[]): Promise<void>;
  /** Absent: the change method does not see deletes. */
  delete?(ids: readonly number[]): Promise<void>;
  /** Absent: the change method does not see truncates. */
  truncate?(): Promise<void>;
  /** Absent: the system has no transactions. */
  begin?(): Promise<TestTransaction>;
  close(): Promise<void>;
}
