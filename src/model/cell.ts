/**
 * One value of one field, in the carrier of its logical type:
 *
 * | type | carrier |
 * | --- | --- |
 * | bool | boolean |
 * | int32, float64 | number (NaN, ±Infinity and -0 included) |
 * | int64 | bigint |
 * | timestamptz | bigint: microseconds since 1970-01-01 UTC; `INSTANT_INFINITY`, `-INSTANT_INFINITY` for ±infinity |
 * | decimal, text, uuid, objectId, date, time, timestamp, interval, json, unknown | string |
 * | bytes | Uint8Array |
 * | list, struct | array of cells (a struct in the order of its fields) |
 * | variant | `Variant` |
 *
 * `null` is NULL. `undefined` is absent (unchanged, not read) and never NULL. A field whose records have a `decoder`
 * holds undecoded source text instead: see `Records.decoder`.
 */
export type Cell = boolean | number | bigint | string | Uint8Array | readonly Cell[] | Variant | null | undefined;

/** A value that names its own type. `type` is a logical type's text; `value` its carrier. */
export interface Variant {
  readonly variant: string;
  readonly value: Cell;
}

/** Stands for 'infinity' in a timestamptz carrier: beyond any instant that a supported system can hold. */
export const INSTANT_INFINITY = 2n ** 63n - 1n;

export type Row = readonly Cell[];
