import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';

/** What was done to children of orders, in rows. */
export interface ItemChanges {
  transactions: number;
  changed: number;
  inserted: number;
  deleted: number;
  moved: number;
  renamed: number;
}

export interface ItemWriters {
  /** Lets every writer end its transaction. */
  stop(): Promise<ItemChanges>;
}

const PAUSE_MS = 5;
/** Enough is enough, however slow the machine is and however long the runs take. */
const MAX_TRANSACTIONS = 600;

interface Step {
  readonly kind: Exclude<keyof ItemChanges, 'transactions'>;
  readonly sql: string;
}

/** $1: an order of the writer's own, so that nobody waits for anybody; $2: another of its own. */
const STEPS: readonly Step[] = [
  { kind: 'changed', sql: 'update order_items set price = price + 0.01, updated_at = now() where order_id = $1 and $2::bigint > 0' },
  {
    kind: 'inserted',
    sql: `insert into order_items select $1, max(line_no) + 1, 'NEW-' || $2::bigint, 1, 9.99, now() from order_items where order_id = $1 having count(*) > 0`,
  },
  { kind: 'deleted', sql: 'delete from order_items where order_id = $1 and line_no = 1 and $2::bigint > 0' },
  {
    kind: 'moved',
    sql: `update order_items set order_id = $2, line_no = 1000 + (select count(*) from order_items where order_id = $2), updated_at = now()
      where order_id = $1 and line_no = (select max(line_no) from order_items where order_id = $1)`,
  },
  {
    kind: 'renamed',
    sql: `update customers set name = name || '*', updated_at = now() where id = (select customer_id from orders where id = $1) and $2::bigint > 0`,
  },
];

/** Starts writers that change children until they are stopped, each on its own connection and its own orders. */
export function startItemWriters(clients: readonly Client[], orders: number): ItemWriters {
  let running = true;
  const loops = clients.map((client, index) =>
    writeItems(client, { first: index, writers: clients.length, orders, isRunning: () => running }),
  );
  const all = Promise.all(loops);
  all.catch(() => {}); // Told by stop().
  return {
    async stop() {
      running = false;
      const total: ItemChanges = { transactions: 0, changed: 0, inserted: 0, deleted: 0, moved: 0, renamed: 0 };
      for (const one of await all) for (const kind of Object.keys(total) as (keyof ItemChanges)[]) total[kind] += one[kind];
      return total;
    },
  };
}

interface WriterOptions {
  readonly first: number;
  readonly writers: number;
  readonly orders: number;
  isRunning(): boolean;
}

async function writeItems(client: Client, { first, writers, orders, isRunning }: WriterOptions): Promise<ItemChanges> {
  const done: ItemChanges = { transactions: 0, changed: 0, inserted: 0, deleted: 0, moved: 0, renamed: 0 };
  const own = Math.floor(orders / writers);
  const orderAt = (place: number): number => (place % own) * writers + first + 1;
  for (; isRunning() && done.transactions < MAX_TRANSACTIONS; done.transactions += 1) {
    const step = STEPS[done.transactions % STEPS.length] as Step;
    const { rowCount } = await client.query(step.sql, [orderAt(done.transactions * 7), orderAt(done.transactions * 11 + 3)]);
    done[step.kind] += rowCount ?? 0;
    await sleep(PAUSE_MS);
  }
  return done;
}
