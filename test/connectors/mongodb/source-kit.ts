import { Int32 } from 'bson';
import { options } from '../../../connectors/mongodb/options.ts';
import { openMongoSource } from '../../../connectors/mongodb/source.ts';
import type { ConnectorContext, FetchRequest, Source, StreamRef } from '../../../src/sdk.ts';
import type { SourceFixture, TestRecord } from '../../../src/testing/index.ts';
import { createMongoDatabase } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { fetchRequest, rowsOf, cursorAfter } from '../source-reads.ts';

export { NEVER, fetchRequest, rowsOf, cursorAfter } from '../source-reads.ts';

export type More = Readonly<Record<string, unknown>>;

export function testContext(warnings: string[] = []): ConnectorContext {
  const quiet = () => undefined;
  return {
    connection: 'test',
    baseDir: '/',
    log: { debug: quiet, info: quiet, error: quiet, warn: (_fields, message) => void warnings.push(message) },
  };
}

export function openSource(url: string, more: More = {}, warnings: string[] = []): Source {
  return openMongoSource(options.parse({ url, ...more }), testContext(warnings));
}

export function streamRef(name: string, more: Partial<StreamRef> = {}): StreamRef {
  return {
    name,
    changes: { by: 'cursor', field: 'updatedAt' },
    key: ['_id'],
    fields: null,
    except: [],
    maxRecordBytes: 16 * 1024 * 1024,
    ...more,
  };
}

/** One drain as a process of its own would do it. */
export async function drainOnce(url: string, ref: StreamRef, more: Partial<FetchRequest> & { readonly options?: More } = {}) {
  const source = openSource(url, more.options);
  try {
    const batches = await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref, more)));
    return { batches, rows: rowsOf(batches), cursor: cursorAfter(batches, more.after ?? null) };
  } finally {
    await source.close();
  }
}

export interface FixtureCollection {
  readonly ref?: Partial<StreamRef>;
  readonly options?: More;
  readonly index?: boolean;
  /** What a write puts into `updatedAt`; `tick` grows with every write. */
  readonly stamp?: (tick: number) => unknown;
  readonly repeats?: SourceFixture['repeats'];
  /** Another server than the run's. */
  readonly server?: string;
}

/** `things` in a database of its own. Every write stamps `updatedAt` with a time of its own, which the records of one write share. */
export async function sourceFixture({
  ref = {},
  options: more = {},
  index = true,
  stamp,
  repeats,
  server,
}: FixtureCollection = {}): Promise<SourceFixture> {
  const database = await createMongoDatabase('source', server);
  const things = database.db.collection<Document>('things');
  await database.db.createCollection('things');
  if (index) await things.createIndex({ updatedAt: 1, _id: 1 });
  let tick = 0;
  const next = () => {
    tick += 1;
    return stamp === undefined ? new Date(1_790_000_000_000 + tick * 1000) : stamp(tick);
  };
  return {
    stream: streamRef('things', ref),
    fields: { id: '_id', label: 'label' },
    repeats: repeats ?? 'never',
    open: () => openSource(database.url, more),
    insert: async (records) => {
      const updatedAt = next();
      await things.insertMany(records.map((record) => document(record, updatedAt)));
    },
    update: async (records) => {
      const updatedAt = next();
      await things.bulkWrite(
        records.map(({ id, label }) => ({
          updateOne: { filter: { _id: new Int32(id) as never }, update: { $set: { label, updatedAt } } },
        })),
      );
    },
    close: () => close(database),
  };
}

interface Document {
  readonly _id: never;
  readonly [name: string]: unknown;
}

/** Richer than the contract asks for: every read meets documents, lists, numbers of all kinds and fields that are not always there. */
function document({ id, label }: TestRecord, updatedAt: unknown): Document {
  return {
    _id: new Int32(id) as never,
    label,
    updatedAt,
    customer: { name: `c${id}`, tags: ['a', new Int32(id)] },
    ...(id % 3 === 0 ? { extra: { deep: null } } : {}),
  };
}

async function close(database: TestMongo): Promise<void> {
  await database.drop();
}
