import type { Cell } from '../model/cell.ts';
import type { Target, TargetStream } from '../model/contracts.ts';
import type { LogicalType } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';

/** A real target system, of which the suite alone writes the part that belongs to this fixture. */
export interface TargetFixture {
  /** A new target over the same data each time, as another process would open it. */
  open(): Target;
  /** Where a stream of the suite goes: a name that does not exist yet and that `plan` and `apply` may create. `shape`: for places that are told apart by key. */
  targetName(stream: string, shape: Shape): string;
  /**
   * The committed records past the target under test, in any order (of a log, what the last line of each key says): carriers, aligned to `stream.shape`. Empty where the target was not created yet.
   * A value that the target holds in another but equal notation (an interval, a json text with spaces) is given in the notation that was written.
   */
  read(stream: TargetStream): Promise<readonly (readonly Cell[])[]>;
  /** The types that it holds exactly, beside int64 and text, which it must. */
  readonly exactTypes: readonly LogicalType[];
  /** A text that it must refuse because it cannot be stored exactly. Default: a lone surrogate. `null`: it stores every text. */
  readonly refusedText?: string | null;
  /** Records need no fields declared: a field that is new is nothing to the target, and no policy of drift keeps it out. */
  readonly schemaless?: boolean;
  /** Its fields are those that it was made with, for good: a new field is drift that no policy lets in, and a record without a field has NULL there. */
  readonly fixedFields?: boolean;
  /** Others make the places that it writes to: it plans no statements, and its plan never says that it creates something. */
  readonly createsNothing?: boolean;
  /** `false`: it writes without reading first, so that a record which it holds already counts as `upserted` and never as `unchanged`. */
  readonly countsUnchanged?: boolean;
  /** An upsert stands for the whole record: a field that it does not have is NULL afterwards. */
  readonly replacesRecords?: boolean;
  /** What its system cannot be asked for, so that its plan refuses it (`E_CONFIG_INVALID`). A log refuses a guard without being listed. */
  readonly refuses?: readonly ('guard' | 'mark')[];
  close(): Promise<void>;
}
