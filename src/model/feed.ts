import type { Json } from './json.ts';

/**
 * A resume point. Opaque to the engine: only its connector writes, reads and compares it. At most 64 KiB as JSON.
 * Source values inside are the source's own text, never a Date or a number.
 */
export type Cursor = Json;

/** An ordered sequence of batches with one cursor: the unit of checkpoint, order and retry. */
export interface Feed {
  /** Unique within the job: `changes:public.orders`, `backfill:public.orders:3`. */
  readonly id: string;
  readonly kind: 'changes' | 'backfill';
  readonly streams: readonly string[];
  /** What part of the stream a backfill feed covers; written and read by the connector. */
  readonly range?: Json;
  /** A filter in the source's own notation that holds for this feed alone (`backfill --where`). */
  readonly where?: Json;
}

export interface Position {
  /** For people: `2026-11-24T10:00:00.123456Z 42`. */
  readonly text: string;
  /** The source's time of it, for lag (ms since 1970). */
  readonly timeMs?: number;
}
