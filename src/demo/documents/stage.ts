import type { Client } from 'pg';
import type { Story } from '../demo-report.ts';
import type { DemoMongo } from './find-mongo.ts';
import type { ShopTables } from './shop-tables.ts';

/** What every scene of the demo of documents works with. */
export interface DocumentsStage {
  readonly folder: string;
  readonly size: ShopTables;
  readonly story: Story;
  readonly signal: AbortSignal;
  readonly mongo: DemoMongo;
  /** One connection to each database, for looking and for changing by hand. */
  readonly shop: Client;
  readonly copy: Client;
  /** A new connection to the shop; closed with the server. */
  connect(): Promise<Client>;
}

export const TO_DOCUMENTS = 'tables-to-documents';
export const TO_TABLES = 'documents-to-tables';

interface PrintedRun {
  readonly durationMs: number;
  readonly jobs: readonly { readonly streams: readonly { readonly upserted: number; readonly unchanged: number }[] }[];
}

/** The sums of `run --json`. */
export function runSums(document: unknown): { readonly upserted: number; readonly durationMs: number } {
  const { durationMs, jobs } = document as PrintedRun;
  const streams = jobs.flatMap((job) => job.streams);
  return { upserted: streams.reduce((sum, stream) => sum + stream.upserted, 0), durationMs };
}
