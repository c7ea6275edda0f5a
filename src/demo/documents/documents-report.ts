import type { ItemChanges } from './item-writers.ts';

/** What the demo of documents measured. Every number was read from a server, a clock or a report; `demo --documents --json` prints it. */
export interface DocumentsReport {
  readonly postgres: string;
  readonly mongodb: string;
  readonly filled: { readonly customers: number; readonly orders: number; readonly items: number; readonly durationMs: number };
  readonly firstLoad: {
    /** Documents in MongoDB when the run was killed. */
    readonly documentsAtKill: number;
    readonly upserted: number;
    readonly durationMs: number;
  };
  readonly changes: ItemChanges & {
    /** Whether a run was killed while the writers were at work: it might have been too fast. */
    readonly killed: boolean;
    /** Documents that the runs wrote, while and after the writers were at work. */
    readonly upserted: number;
    readonly durationMs: number;
  };
  readonly proof: {
    /** Documents that were changed by hand. */
    readonly damaged: number;
    readonly found: number;
    readonly repaired: number;
    readonly why: { readonly key: string; readonly verdict: string; readonly field: string };
    /** Documents that are the same as before the damage, of those that were damaged. */
    readonly restored: number;
  };
  readonly tables: { readonly orders: number; readonly items: number; readonly durationMs: number; readonly verified: boolean };
  /** By plain SQL and the driver: nothing of trueup takes part. */
  readonly comparison: readonly SideComparison[];
  readonly equal: boolean;
  readonly durationMs: number;
}

export interface SideComparison {
  /** `documents`, `orders`, `order_items`. */
  readonly what: string;
  readonly count: readonly [from: number, to: number];
  /** MD5 over the text of every record in key order. */
  readonly md5: readonly [from: string, to: string];
  readonly equal: boolean;
}
