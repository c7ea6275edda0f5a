import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { seededRandom } from './seeded-random.ts';
import type { Random } from './seeded-random.ts';

/*
 * Writers as an application has them: quick transactions beside some that stay open for seconds, savepoints, rollbacks, two-phase commits. A
 * row's stamp is the begin of its transaction, so what a long one writes becomes visible with a stamp that lies seconds back. Every decision
 * comes from the seed; how the writers' steps fall between each other is up to the machine.
 */

export interface WorkloadOptions {
  readonly url: string;
  readonly seed: number;
  readonly writers: number;
  /** How long the long transactions are held open, ms. */
  readonly holdMs: readonly [least: number, most: number];
  /** Share of transactions that are held open. */
  readonly longShare: number;
}

export interface WorkloadCounts {
  transactions: number;
  long: number;
  rolledBack: number;
  savepoints: number;
  prepared: number;
}

export interface Workload {
  readonly counts: Readonly<WorkloadCounts>;
  /** Ends the writers; each finishes the transaction that it has open. @throws what a writer failed with */
  stop(): Promise<void>;
}

const ROLLED_BACK = 0.1;
const SAVEPOINT = 0.2;
const PREPARED = 0.05;
const INSERTS = 0.6;
const PAUSE_MS = 80;

export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  const counts: WorkloadCounts = { transactions: 0, long: 0, rolledBack: 0, savepoints: 0, prepared: 0 };
  const stop = new AbortController();
  const twoPhase = await canPrepare(options.url);
  const writers = Array.from({ length: options.writers }, (_, index) =>
    write({ options, counts, twoPhase, index, random: seededRandom(options.seed * 1000 + index) }, stop.signal),
  );
  // A writer that fails early is reported by stop(), not as an unhandled rejection before it.
  const ended = Promise.allSettled(writers);
  return {
    counts,
    stop: async () => {
      stop.abort();
      const failed = (await ended).find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
  };
}

async function canPrepare(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ max: string }>(`select current_setting('max_prepared_transactions') as max`);
    return Number(rows[0]?.max) > 0;
  } finally {
    await client.end();
  }
}

interface Writer {
  readonly options: WorkloadOptions;
  readonly counts: WorkloadCounts;
  readonly twoPhase: boolean;
  readonly index: number;
  readonly random: Random;
}

async function write(writer: Writer, stop: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: writer.options.url });
  await client.connect();
  try {
    for (let serial = 0; !stop.aborted; serial++) {
      await transaction(writer, client, `${process.pid}_${writer.index}_${serial}`);
      await sleep(writer.random() * PAUSE_MS);
    }
  } finally {
    await client.end();
  }
}

async function transaction({ options, counts, twoPhase, random }: Writer, client: pg.Client, gid: string): Promise<void> {
  const long = random() < options.longShare;
  counts.transactions += 1;
  if (long) counts.long += 1;
  const [least, most] = options.holdMs;
  const held = long ? least + random() * (most - least) : 0;
  await client.query('begin');
  const statements = 1 + Math.floor(random() * 4);
  for (let n = 0; n < statements; n++) await statement(client, counts, random);
  await sleep(held);
  const ending = random();
  if (ending < ROLLED_BACK) {
    counts.rolledBack += 1;
    await client.query('rollback');
  } else if (twoPhase && ending < ROLLED_BACK + PREPARED) {
    counts.prepared += 1;
    await client.query(`prepare transaction ${pg.escapeLiteral(gid)}`);
    await sleep(random() * 500);
    await client.query(`commit prepared ${pg.escapeLiteral(gid)}`);
  } else {
    await client.query('commit');
  }
}

async function statement(client: pg.Client, counts: WorkloadCounts, random: Random): Promise<void> {
  const inSavepoint = random() < SAVEPOINT;
  if (inSavepoint) {
    counts.savepoints += 1;
    await client.query('savepoint step');
  }
  const where = random();
  if (random() < INSERTS) await client.query(INSERT, [Math.floor(where * 1e6)]);
  else await client.query(UPDATE, [where]);
  if (inSavepoint) await client.query(random() < 0.3 ? 'rollback to savepoint step' : 'release savepoint step');
}

const INSERT = `insert into orders (customer, amount, note, updated_at) values ('customer ' || $1::int % 997, $1::int / 100.0, 'new', now())`;

/** A row that is there and that no other writer has in hand; none is fine. */
const UPDATE = `update orders set version = version + 1, amount = amount + 1, note = 'changed', updated_at = now() where id =
  (select id from orders where id > $1::float8 * (select max(id) from orders) order by id limit 1 for update skip locked)`;
