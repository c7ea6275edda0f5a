import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';

/** Every order belongs to one of this many groups by `id % 8`; a writer keeps to its own, so that nobody waits for anybody. */
const GROUPS = 8;
const LATE_GROUP = GROUPS - 1;
const PAUSE_MS = 4;

export interface Written {
  readonly transactions: number;
  readonly updated: number;
  readonly inserted: number;
}

export interface Writers {
  /** Lets every writer end its transaction. */
  stop(): Promise<Written>;
}

/** Starts writers that change orders and add new ones until they are stopped, each in short transactions on its own connection. */
export function startWriters(clients: readonly Client[], orders: number): Writers {
  let running = true;
  const loops = clients.map((client, index) => writeOrders(client, { group: index % LATE_GROUP, orders, isRunning: () => running }));
  const all = Promise.all(loops);
  all.catch(() => {}); // Told by stop().
  return {
    async stop() {
      running = false;
      const written = await all;
      const sum = (of: (one: Written) => number) => written.reduce((total, one) => total + of(one), 0);
      return { transactions: sum((one) => one.transactions), updated: sum((one) => one.updated), inserted: sum((one) => one.inserted) };
    },
  };
}

interface WriterOptions {
  readonly group: number;
  readonly orders: number;
  isRunning(): boolean;
}

async function writeOrders(client: Client, { group, orders, isRunning }: WriterOptions): Promise<Written> {
  let [transactions, updated, inserted] = [0, 0, 0];
  for (; isRunning(); transactions++) {
    await client.query('begin');
    const ids = [0, 1, 2].map((step) => GROUPS * (1 + ((transactions * 7 + step * 1009) % Math.floor(orders / GROUPS - 1))) + group);
    const changed = await client.query("update orders set status = 'shipped', total = total + 1, updated_at = now() where id = any($1)", [
      ids,
    ]);
    updated += changed.rowCount ?? 0;
    if (transactions % 4 === 0) inserted += await insertOrder(client, group);
    await client.query('commit');
    await sleep(PAUSE_MS);
  }
  return { transactions, updated, inserted };
}

async function insertOrder(client: Client, group: number): Promise<number> {
  const { rowCount } = await client.query(
    `insert into orders (customer_id, reference, status, total, items, placed_at, updated_at)
     values (1 + $1, gen_random_uuid(), 'new', 19.99, '[{"sku": "SKU-1", "quantity": 1, "price": 19.99}]', clock_timestamp(), now())`,
    [group],
  );
  return rowCount ?? 0;
}

/** A transaction that has stamped rows and is still open: what a plain cursor loses. */
export interface LateCommit {
  /** The stamp of its rows, as the database writes it: when the transaction began. */
  readonly stamp: string;
  readonly rows: number;
  commit(): Promise<void>;
}

/** Changes every 400th order in a transaction that stays open. */
export async function openLateCommit(client: Client): Promise<LateCommit> {
  await client.query('begin');
  const { rowCount } = await client.query(
    `update orders set note = 'changed in a long transaction', updated_at = now() where id % 400 = ${LATE_GROUP}`,
  );
  const { rows } = await client.query<{ stamp: string }>('select now()::text as stamp');
  return {
    stamp: rows[0]?.stamp ?? '',
    rows: rowCount ?? 0,
    async commit() {
      await client.query('commit');
    },
  };
}
