import type { ChangeSpec } from './change-spec.ts';
import type { Json } from './json.ts';

/**
 * A resume point. Opaque to the engine: only its connector writes, reads and compares it. At most 64 KiB as JSON.
 * Source values inside are the source's own text, never a Date or a number.
 */
export type Cursor = Json;

/** An ordered sequence of batches with one cursor: the unit of checkpoint, order and retry. */
export interface Feed {
  /** Unique within the job: `changes:public.orders`, `backfill:public.orders:3`, `compare:public.orders`. */
  readonly id: string;
  /**
   * - `embed`: changes of children that records of the stream carry; of the engine's own making, no connector sees it.
   * - `compare`: nothing is read from it. Its checkpoint says when both sides of the stream were last compared.
   */
  readonly kind: 'changes' | 'backfill' | 'embed' | 'compare';
  readonly streams: readonly string[];
  /** What part of the stream a backfill feed covers; written and read by the connector. */
  readonly range?: Json;
  /** How the changes of each stream are found. Noted by the engine, so that a stream can go over to another way. */
  readonly changes?: Readonly<Record<string, ChangeSpec>>;
  /** What the source knew of the streams when it last read them, for the runs after; written and read by the connector. */
  readonly known?: Json;
  /** A filter in the source's own notation that holds for this feed alone (`backfill --where`). */
  readonly where?: Json;
}

export interface Position {
  /** For people: `2026-11-24T10:00:00.123456Z 42`. */
  readonly text: string;
  /** The source's time of it, for lag (ms since 1970). */
  readonly timeMs?: number;
}
