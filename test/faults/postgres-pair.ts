import type pg from 'pg';
import type { Json } from '../../src/sdk.ts';
import type { Need, OpenPair, Pair } from '../../src/testing/faults/pair.ts';
import type { PostgresKind } from './postgres-kinds.ts';
import { createExtremes, createHeap, EXTREMES, HEAP, insertExtremes, insertHeap } from './postgres-tables.ts';
import type { FurtherTable } from './postgres-tables.ts';
import { openPostgresSide } from './postgres-side.ts';
import type { PostgresSide } from './postgres-side.ts';
import { countPostgresWrites, watchPostgresWrites } from './postgres-writes.ts';
import { CREATE_ORDERS, TRANSACTION_KINDS, beginTransaction, changeOrders, insertOrders } from './postgres-workload.ts';

export interface PostgresPairOptions {
  readonly kind: PostgresKind;
  /** A superuser of the server that pairs share; faults of a server get one of their own. */
  readonly serverUrl: string;
  readonly lacks: Pair['lacks'];
  /** In place of the built-in connector. */
  readonly targetConnector?: string;
}

/** Two Postgres databases. */
export function postgresPair({ kind, serverUrl, lacks, targetConnector }: PostgresPairOptions): Pair {
  return {
    name: `postgres → postgres (${kind.name})`,
    lacks: { ...lacks, ...(kind.insertOnly ? { ties: 'a sequence has no equal values' } : {}) },
    async open(needs) {
      const source = await openPostgresSide(serverUrl, 'source', needs);
      const target = await openPostgresSide(serverUrl, 'target', needs);
      const further = needs.includes('extremes') ? EXTREMES : needs.includes('bulk') ? HEAP : null;
      const pair = openPair({ kind, needs, source, target, further });
      return targetConnector === undefined ? pair : { ...pair, target: { ...pair.target, connector: targetConnector } };
    },
  };
}

interface Parts {
  readonly kind: PostgresKind;
  readonly needs: readonly Need[];
  readonly source: PostgresSide;
  readonly target: PostgresSide;
  readonly further: FurtherTable | null;
}

function openPair({ kind, needs, source, target, further }: Parts): OpenPair {
  const { from, to } = { from: further?.expected ?? null, to: further?.actual ?? null };
  const actualOrders = `select id::text as key, md5(t::text) as content from ${kind.target} as t`;
  return {
    source: source.side,
    target: target.side,
    job: jobOf(kind, further),
    ...(kind.files === undefined ? {} : { files: kind.files }),
    async seed(records) {
      await source.with((client) =>
        client.query(
          `${CREATE_ORDERS}; create index on public.orders (updated_at, id);
           ${insertOrders(records, `timestamptz '2026-01-01 00:00:00.123456Z' + n * interval '1 millisecond'`)}; analyze public.orders`,
        ),
      );
      await target.with(watchPostgresWrites);
      if (needs.includes('extremes')) await source.with(createExtremes);
      if (needs.includes('bulk')) await source.with(createHeap);
    },
    change: (step) => source.with((client) => changeOrders(client, kind, step)),
    expected: () => source.with((client) => read(client, [kind.expected, ...(from === null ? [] : [from])])),
    actual: () => target.with((client) => readIfThere(client, kind.target, actualOrders, to)),
    writes: () => target.with(countPostgresWrites),
    transactions: {
      kinds: TRANSACTION_KINDS,
      begin: async (name) => beginTransaction(await source.connect(), kind, name),
    },
    ...(kind.insertOnly
      ? {}
      : { ties: (records: number) => source.with(async (client) => (await client.query(insertOrders(records, 'now()'))).rowCount ?? 0) }),
    extremes: () => source.with((client) => insertExtremes(client)),
    bulk: () => source.with((client) => insertHeap(client)),
    async close() {
      await source.close();
      await target.close();
    },
  };
}

function jobOf(kind: PostgresKind, further: FurtherTable | null): Readonly<Record<string, Json>> {
  const changes = kind.changes as { readonly by: string };
  const streams: Json[] = [{ from: 'public.orders', ...kind.stream }];
  if (further !== null)
    streams.push({ from: further.name, changes: changes.by === 'sequence' ? { by: 'sequence', field: 'id' } : changes });
  return { ...kind.job, streams };
}

interface ReadRow {
  readonly key: string;
  readonly content: string;
}

async function read(client: pg.Client, statements: readonly string[]): Promise<ReadRow[]> {
  const rows: ReadRow[] = [];
  for (const statement of statements) for (const row of (await client.query<ReadRow>(statement)).rows) rows.push(row);
  return rows;
}

async function readIfThere(client: pg.Client, table: string, orders: string, further: FurtherTable['actual'] | null): Promise<ReadRow[]> {
  const statements: string[] = [];
  const there = async (name: string): Promise<boolean> =>
    (await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [name])).rows[0]?.there === true;
  if (await there(table)) statements.push(orders);
  if (further !== null && (await there(/from (public\.\w+)/.exec(further)?.[1] ?? ''))) statements.push(further);
  return read(client, statements);
}
