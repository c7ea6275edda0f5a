/**
 * Which rows were written at or after a horizon, judged by their system column `xmin`.
 *
 * A row holds only the low 32 bits of its transaction id. Ids of visible rows lie before the snapshot's `xmax` and, unless frozen, at most
 * 2^31 before it, so the distance back from `xmax`, taken modulo 2^32, tells the full id apart. A row frozen in an earlier epoch can look
 * newer than it is and is then delivered once more; a row of the horizon or later never looks older.
 */
export type XminWindow =
  /** No row is left out. */
  | { readonly kind: 'all' }
  /** No visible row can be that new. */
  | { readonly kind: 'none' }
  /** Rows with `(next - xmin) mod 2^32 <= width`. Both as decimal text. */
  | { readonly kind: 'within'; readonly next: string; readonly width: string };

const EPOCH = 2n ** 32n;

/**
 * @param horizon full 64-bit id; `null`: everything
 * @param xmax pg_snapshot_xmax of the snapshot that reads: the next id to be given out, as the snapshot saw it
 */
export function xminWindow(horizon: bigint | null, xmax: bigint): XminWindow {
  if (horizon === null || xmax - horizon >= EPOCH) return { kind: 'all' };
  if (horizon >= xmax) return { kind: 'none' };
  return { kind: 'within', next: String(xmax % EPOCH), width: String(xmax - horizon) };
}

/** What `within` means, for one row; the SQL of a pass says the same. */
export function inWindow(window: XminWindow, xmin: number): boolean {
  if (window.kind !== 'within') return window.kind === 'all';
  return (BigInt(window.next) - BigInt(xmin) + EPOCH) % EPOCH <= BigInt(window.width);
}
