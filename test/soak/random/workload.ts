import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { withClient } from '../../servers/postgres-admin.ts';
import { createGate } from './gate.ts';
import type { ScenarioPlan } from './plan.ts';
import type { Random } from './prng.ts';
import { literal } from './sql.ts';
import { someStatement } from './statements.ts';

/*
 * Writers of the source: short and long transactions, savepoints, rollbacks, prepared transactions, sessions in several time zones. A transaction
 * may stay open over a whole run of trueup and its check, so that what it stamped long ago is committed late.
 */

export interface WorkloadCounts {
  transactions: number;
  statements: number;
  held: number;
  savepoints: number;
  rollbacks: number;
  prepared: number;
  /** Ended by a lock that somebody held, a key that was taken, a server that went away. */
  failed: number;
}

export interface Workload {
  readonly counts: WorkloadCounts;
  /** Nobody writes or commits any more when it resolves; transactions may be open. */
  pause(): Promise<void>;
  resume(): void;
  /** Lets go of the transactions that wait for it. Called while paused. */
  checked(): void;
  /** Every transaction is over, prepared ones included. Writers go on with `resume`. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

interface Shared {
  readonly url: string;
  readonly plan: ScenarioPlan;
  readonly counts: WorkloadCounts;
  readonly gate: ReturnType<typeof createGate>;
  readonly end: AbortController;
  /** While it is set, no transaction begins, and none waits. */
  draining: PromiseWithResolvers<void> | null;
  nextCheck: PromiseWithResolvers<void>;
  busy: number;
  drained: PromiseWithResolvers<void>;
  serial: number;
}

export function startWorkload(url: string, plan: ScenarioPlan, random: Random): Workload {
  const shared: Shared = {
    url,
    plan,
    counts: { transactions: 0, statements: 0, held: 0, savepoints: 0, rollbacks: 0, prepared: 0, failed: 0 },
    gate: createGate(),
    end: new AbortController(),
    draining: null,
    nextCheck: Promise.withResolvers(),
    busy: 0,
    drained: Promise.withResolvers(),
    serial: 0,
  };
  const release = () => {
    shared.nextCheck.resolve();
    shared.nextCheck = Promise.withResolvers();
  };
  const drain = async () => {
    shared.draining ??= Promise.withResolvers();
    shared.drained = Promise.withResolvers();
    release();
    shared.gate.open();
    if (shared.busy > 0) await shared.drained.promise;
    await rollBackForgotten(url);
  };
  const writers = Array.from({ length: plan.writers }, (_, index) => writer(shared, random.fork(`writer ${index}`), index % 3 === 0));
  const failed = Promise.all(writers);
  failed.catch(() => shared.end.abort());
  const unlessFailed = async (what: Promise<void>) => void (await Promise.race([what, failed]));
  return {
    counts: shared.counts,
    pause: () => unlessFailed(shared.gate.close()),
    resume() {
      shared.draining?.resolve();
      shared.draining = null;
      shared.gate.open();
    },
    checked: release,
    drain: () => unlessFailed(drain()),
    async stop() {
      shared.end.abort();
      await drain();
      shared.draining?.resolve();
      shared.draining = null;
      await failed;
    },
  };
}

/** A transaction that was prepared while its server went down, so that its writer never learnt of it. */
async function rollBackForgotten(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const { rows } = await client.query<{ gid: string }>('select gid from pg_prepared_xacts where database = current_database()');
    for (const { gid } of rows) await client.query(`rollback prepared ${literal(gid)}`);
  });
}

const ZONES = ['UTC', 'Asia/Kolkata', 'Pacific/Pago_Pago', 'Pacific/Kiritimati', 'America/New_York'] as const;

/** @param holds whether its transactions may wait for a check */
async function writer(shared: Shared, random: Random, holds: boolean): Promise<void> {
  let client: pg.Client | null = null;
  shared.gate.enter();
  try {
    while (!shared.end.signal.aborted) {
      if (shared.draining !== null) await shared.gate.waiting(shared.draining.promise);
      else await shared.gate.pass();
      if (shared.end.signal.aborted || shared.draining !== null) continue;
      shared.busy += 1;
      try {
        client ??= await connect(shared.url, random.pick(ZONES));
        await transaction({ shared, client, random, holds });
      } catch (error) {
        client = await afterFault(shared, client, error);
      } finally {
        shared.busy -= 1;
        if (shared.busy === 0) shared.drained.resolve();
      }
      await shared.gate.waiting(sleep(random.int(0, 40)));
    }
  } finally {
    shared.gate.leave();
    await client?.end().catch(() => {});
  }
}

async function connect(url: string, zone: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // The next query reports it.
  await client.connect();
  await client.query(`set timezone = '${zone}'; set lock_timeout = '150ms'; set idle_in_transaction_session_timeout = 0`);
  return client;
}

/** Taken key, lock timeout, deadlock, serialization, a column that drift took or made, a value beyond a column that is not yet wide. */
const EXPECTED = /^(23505|55P03|40P01|40001|42703|42P10|0A000|22003|22001|21000|23502|57P0.|57014|08.*|53300|25P02|E.*)$/;

/** Takes the transaction back. `null`: the connection is gone. */
async function afterFault(shared: Shared, client: pg.Client | null, error: unknown): Promise<pg.Client | null> {
  const { code = '', message } = error as { code?: string; message: string };
  if (!EXPECTED.test(code) && !/terminat|ECONN|not queryable|closed|timeout/i.test(message)) throw error;
  shared.counts.failed += 1;
  try {
    await client?.query('rollback');
    return client;
  } catch {
    await client?.end().catch(() => {});
    await sleep(50);
    return null;
  }
}

interface Work {
  readonly shared: Shared;
  readonly client: pg.Client;
  readonly random: Random;
  readonly holds: boolean;
}

async function transaction(work: Work): Promise<void> {
  const { shared, client, random, holds } = work;
  shared.counts.transactions += 1;
  if (random.chance(0.35)) return write(work);
  const style = random.weighted([
    [5, 'short'],
    [2, 'slow'],
    [holds ? 4 : 0, 'held'],
  ] as const);
  await client.query(random.pick(['begin', 'begin', 'begin isolation level repeatable read']));
  for (let left = random.int(1, 4); left > 0; left -= 1) {
    await inSavepoint(work);
    if (style !== 'short') await shared.gate.waiting(sleep(random.int(20, 300)));
    await shared.gate.pass();
  }
  if (style === 'held') await held(shared);
  await finish(work);
}

/** Until the next check is over. */
async function held(shared: Shared): Promise<void> {
  shared.counts.held += 1;
  if (shared.draining === null) await shared.gate.waiting(shared.nextCheck.promise);
}

async function write({ shared: { plan, counts }, client, random }: Work): Promise<void> {
  counts.statements += 1;
  await client.query(someStatement(random.pick(plan.tables), random));
}

async function inSavepoint(work: Work): Promise<void> {
  const { shared, client, random } = work;
  if (!random.chance(0.35)) return write(work);
  shared.counts.savepoints += 1;
  await client.query('savepoint a');
  await write(work);
  if (random.chance(0.3)) {
    await client.query('savepoint b');
    await write(work);
    await client.query(random.pick(['rollback to savepoint b', 'release savepoint b']));
  }
  await client.query(random.pick(['rollback to savepoint a', 'release savepoint a']));
}

async function finish({ shared, client, random, holds }: Work): Promise<void> {
  const { counts } = shared;
  if (random.chance(0.15)) {
    counts.rollbacks += 1;
    await client.query('rollback');
  } else if (random.chance(0.2)) {
    counts.prepared += 1;
    const name = literal(`soak_${shared.plan.seed}_${(shared.serial += 1)}`);
    const commits = random.chance(0.8);
    const waits = holds && random.chance(0.6);
    await client.query(`prepare transaction ${name}`);
    if (waits) await held(shared);
    else await shared.gate.waiting(sleep(random.int(0, 200)));
    await endPrepared(shared, client, `${commits ? 'commit' : 'rollback'} prepared ${name}`);
  } else {
    await client.query('commit');
  }
}

/** It outlives its connection, so it is ended on another one when that is gone. */
async function endPrepared(shared: Shared, client: pg.Client, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    for (let attempt = 1; ; attempt += 1) {
      const other = new pg.Client({ connectionString: shared.url });
      other.on('error', () => {});
      try {
        await other.connect();
        await other.query(sql);
        break;
      } catch (again) {
        const { code } = again as { code?: string };
        if (code === '42704') break; // It had been ended, only the answer was lost.
        if (attempt === 100) throw again;
        await sleep(100);
      } finally {
        await other.end().catch(() => {});
      }
    }
    throw error;
  }
}
