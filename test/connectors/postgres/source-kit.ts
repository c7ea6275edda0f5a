import { options } from '../../../connectors/postgres/options.ts';
import { resolveServer } from '../../../connectors/postgres/session/session.ts';
import type { Server } from '../../../connectors/postgres/session/session.ts';
import { postgresSource } from '../../../connectors/postgres/source.ts';
import type { Batch, Cell, ConnectorContext, Cursor, FetchRequest, Source, StreamRef } from '../../../src/sdk.ts';
import type { SourceFixture, TestRecord } from '../../../src/testing/index.ts';
import { createDatabase } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { fetchRequest, rowsOf, cursorAfter } from '../source-reads.ts';

export { NEVER, fetchRequest, rowsOf, cursorAfter } from '../source-reads.ts';

export interface Warning {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function testContext(warnings: Warning[] = []): ConnectorContext {
  const quiet = () => undefined;
  return {
    connection: 'test',
    baseDir: '/',
    log: { debug: quiet, info: quiet, error: quiet, warn: (fields, message) => void warnings.push({ fields, message }) },
  };
}

export function testServer(url: string, more: Readonly<Record<string, unknown>> = {}, warnings: Warning[] = []): Server {
  return resolveServer(options.parse({ url, ...more }), testContext(warnings));
}

export function openSource(url: string, more: Readonly<Record<string, unknown>> = {}, warnings: Warning[] = []): Source {
  return postgresSource({ server: testServer(url, more, warnings), pids: new Set() });
}

export function streamRef(name: string, more: Partial<StreamRef> = {}): StreamRef {
  return {
    name,
    changes: { by: 'cursor', field: 'updated_at' },
    key: ['id'],
    fields: null,
    except: [],
    maxRecordBytes: 16 * 1024 * 1024,
    ...more,
  };
}

/** One drain as a process of its own would do it. */
export async function drainOnce(
  url: string,
  ref: StreamRef,
  more: Partial<FetchRequest> = {},
): Promise<{ readonly batches: Batch[]; readonly rows: Record<string, Cell>[]; readonly cursor: Cursor | null }> {
  const source = openSource(url);
  try {
    const batches = await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref, more)));
    return {
      batches,
      get rows() {
        return rowsOf(batches);
      },
      cursor: cursorAfter(batches, more.after ?? null),
    };
  } finally {
    await source.close();
  }
}

export interface FixtureTable {
  readonly ref: Partial<StreamRef>;
  /** Besides the table `things (id bigint, label text, …)`: what the stream is made of. */
  readonly setup: readonly string[];
  /** Default `after-interruption`. */
  readonly repeats?: SourceFixture['repeats'];
  /** Default: a database of the run's server. */
  create?(): Promise<TestDatabase>;
}

/** `things` in a database of its own. Every write stamps `updated_at` with `now()`, so the records of one transaction share it. */
export async function sourceFixture(table: FixtureTable): Promise<SourceFixture> {
  const database = await (table.create?.() ?? createDatabase('source'));
  for (const statement of table.setup) await database.query(statement);
  return {
    stream: streamRef('public.things', table.ref),
    fields: { id: 'id', label: 'label' },
    repeats: table.repeats ?? 'after-interruption',
    open: () => openSource(database.url),
    insert: (records) => insert(database, records),
    update: (records) => update(database, records),
    begin: async () => {
      const client = await database.connect();
      await client.query('begin');
      return {
        insert: (records) => insert(client as Connection, records),
        update: (records) => update(client as Connection, records),
        commit: async () => void (await client.query('commit')),
        rollback: async () => void (await client.query('rollback')),
      };
    },
    close: () => database.drop(),
  };
}

interface Connection {
  query(text: string, values: readonly unknown[]): Promise<unknown>;
}

async function insert(connection: Connection, records: readonly TestRecord[]): Promise<void> {
  await connection.query(`insert into things (id, label) select (x->>'id')::bigint, x->>'label' from json_array_elements($1::json) x`, [
    JSON.stringify(records),
  ]);
}

async function update(connection: Connection, records: readonly TestRecord[]): Promise<void> {
  await connection.query(
    `update things set label = x.label, updated_at = default from (select (x->>'id')::bigint as id, x->>'label' as label from json_array_elements($1::json) x) x where things.id = x.id`,
    [JSON.stringify(records)],
  );
}

/** A cell as a text that two equal cells share. */
export function cellKey(cell: Cell): string {
  if (cell instanceof Uint8Array) return Buffer.from(cell).toString('hex');
  return typeof cell === 'object' && cell !== null ? JSON.stringify(cell) : String(cell);
}
