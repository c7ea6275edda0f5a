import type { ErrorCode } from '../errors.ts';
import type { Batch, Conversion, MappedBatch } from '../model/contracts.ts';
import type { Shape } from '../model/shape.ts';

/** A batch after its mapping. Every record of the source batch is in `batch`, in `touches`, in `rejected` or counted in `filtered`. */
export interface Mapped {
  /** `distinctKeys` is the source's word: keys may still stand twice. */
  readonly batch: MappedBatch;
  /** For each mapped record the index of its source record; `null`: the same index. */
  readonly origin: Uint32Array | null;
  /** Records that `where` left out and that nothing is to be done about. */
  readonly filtered: number;
  /** How many of the mapped deletes stand for records that no longer pass `where`. */
  readonly exits: number;
  /** Indices of source records that must be read again (touches, and patches that lack a cell the mapping needs). */
  readonly touches: readonly number[];
  readonly rejected: readonly MappingFault[];
  /** Values that were converted with a loss that a policy allows. */
  readonly conversions: readonly Conversion[];
}

/** A record that the mapping cannot carry. */
export interface MappingFault {
  /** Index within the source batch. */
  readonly index: number;
  readonly code: ErrorCode;
  /** Names the field and the expected type; never the value. */
  readonly message: string;
}

/** A batch that is mapped while it is written. Every record of the source batch is one of `batch`, at the same index. */
export interface LateMapped {
  readonly batch: MappedBatch;
  /** Whether a scan ended at a record that cannot be mapped: then the batch is to be mapped as a whole, which says which records these are. */
  faulted(): boolean;
  /** Values that the last scan converted with a loss that a policy allows. */
  conversions(): readonly Conversion[];
}

/** A compiled mapping for one source shape. Pure, and holds no state but the tally of one call. */
export interface Mapper {
  /** What it yields; its key is the key of the target. */
  readonly shape: Shape;
  /** `exits`: records that do not pass `where` become deletes; without, they are only counted as filtered. Default true. */
  map(batch: Batch, options?: { readonly exits: boolean }): Mapped;
  /** `null` or absent: a batch that must be mapped as a whole. */
  mapLate?(batch: Batch): LateMapped | null;
}
