/** Records `from <= index < to` of a batch. */
export interface Slice {
  readonly from: number;
  readonly to: number;
}

/** More in flight gained nothing. */
export const IN_FLIGHT = 2;

/** Of one command, at most: a whole batch in one would leave the server idle while the next is made ready. */
const SLICE = 2500;
const SLICE_BYTES = 2 * 1024 * 1024;
/** So many records tell whether the others are new: a thousand refused inserts would cost more than the updates. */
const PROBE = 200;

export interface Slicing extends Slice {
  /** Of a record, about. */
  readonly weight: number;
  /** How many slices are written at once. */
  readonly width: number;
  /** Whether a short first slice tells how the others are written. */
  readonly isProbe: boolean;
}

/**
 * Writes records of different keys slice by slice, in their order. The first fault is thrown, once nothing is in flight any more.
 *
 * @param write `slot`: which of the slices that are in flight, 0 <= slot < width
 */
export async function inSlices(
  { from, to, weight, width, isProbe }: Slicing,
  write: (slice: Slice, slot: number) => Promise<void>,
): Promise<void> {
  const size = Math.max(1, Math.min(SLICE, Math.floor(SLICE_BYTES / weight)));
  let at = from;
  if (isProbe && to - from > PROBE) {
    at = from + PROBE;
    await write({ from, to: at }, 0);
  }
  let failed = false;
  const work = async (slot: number): Promise<void> => {
    while (at < to && !failed) {
      const slice = { from: at, to: Math.min(at + size, to) };
      at = slice.to;
      try {
        await write(slice, slot);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: width }, (_, slot) => work(slot)));
  const fault = ended.find((end) => end.status === 'rejected');
  if (fault !== undefined) throw fault.reason;
}
