import { isTrueupError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Cell } from './cell.ts';

/** Told once for every value that was not carried exactly, with what was done. */
export type Note = (kind: string) => void;

/** A value that has no exact counterpart. */
export interface Loss {
  /** What is lost, without the value. */
  readonly loss: string;
  /** Absent: `E_RECORD_LOSS`. */
  readonly code?: ErrorCode;
  /** What is left when it is cut. Absent: cutting does not help. */
  readonly cut?: Cell;
  /** The word that reports use for `cut`; absent: `truncated`. */
  readonly how?: string;
}

/** A conversion that does not know the policy yet. Never sees NULL or absent. */
export type Attempt = (cell: Cell, note: Note) => Cell | Loss;

export type Step =
  | { readonly kind: 'exact' | 'checked' | 'lossy'; readonly loss?: string; readonly attempt: Attempt }
  | { readonly kind: 'impossible'; readonly loss: string };

export function isLoss(result: Cell | Loss): result is Loss {
  return typeof result === 'object' && result !== null && 'loss' in result;
}

/** A reader that throws, as an attempt. */
export function attempted(read: Attempt): Attempt {
  return (cell, note) => {
    try {
      return read(cell, note);
    } catch (error) {
      if (!isTrueupError(error)) throw error;
      return { loss: error.message.replace(/^the value: /, ''), code: error.code };
    }
  };
}
