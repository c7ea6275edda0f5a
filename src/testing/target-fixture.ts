import type { Cell } from '../model/cell.ts';
import type { Target, TargetStream } from '../model/contracts.ts';
import type { LogicalType } from '../model/logical-type.ts';

/** A real target system, of which the suite alone writes the part that belongs to this fixture. */
export interface TargetFixture {
  /** A new target over the same data each time, as another process would open it. */
  open(): Target;
  /** Where a stream of the suite goes: a name that does not exist yet and that `plan` and `apply` may create. */
  targetName(stream: string): string;
  /**
   * The committed records past the target under test, in any order: carriers, aligned to `stream.shape`. Empty where the target was not created yet.
   * A value that the target holds in another but equal notation (an interval, a json text with spaces) is given in the notation that was written.
   */
  read(stream: TargetStream): Promise<readonly (readonly Cell[])[]>;
  /** The types that it holds exactly, beside int64 and text, which it must. */
  readonly exactTypes: readonly LogicalType[];
  /** A text that it must refuse because it cannot be stored exactly. Default: a lone surrogate. `null`: it stores every text. */
  readonly refusedText?: string | null;
  close(): Promise<void>;
}
