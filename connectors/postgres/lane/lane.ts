import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { Commit, CommitResult, Conversion, Lane, MappedBatch, Owner, OwnerInfo, Shape, TargetStream } from '../../../src/sdk.ts';
import { fieldsOf } from './lines.ts';
import { RowsThere, expectNoRows } from './parents.ts';
import { laneSql } from './sql.ts';
import type { LaneSql } from './sql.ts';
import { laneTable } from './table.ts';
import type { LaneTable } from './table.ts';
import { mayGoStraight, noCounts, writeBatch, writeStraight } from './write.ts';
import type { Counts, Written } from './write.ts';
import { parseStreamName } from '../quote.ts';
import type { Session } from '../session/session.ts';
import { fence, fenced, writeChange } from '../store/change.ts';
import { NOTES_BETWEEN_PRUNES, noteBatch, pruneNotes } from '../store/commits.ts';
import { forgetLane, registerLane } from '../store/lease.ts';
import type { StoreTables } from '../store/schema.ts';
import { readTables, tableOf } from '../ddl/target-table.ts';
import { BEGIN } from '../session/transaction.ts';

export interface LaneInit {
  /** Belongs to the lane from here on. */
  readonly session: Session;
  readonly owner: Owner;
  readonly streams: readonly TargetStream[];
  /** Of targets that name none. */
  readonly defaultSchema: string;
  readonly tables: StoreTables;
  /** Whether checkpoints go into these tables with the rows; else they are kept beside or elsewhere, and the lane writes rows only. */
  readonly checkpoints: boolean;
  /** The job's lease as the store has it now, asked on another connection. */
  readonly leaseOwner: (signal: AbortSignal) => Promise<OwnerInfo | null>;
}

/** A stream's table with its staging table. */
interface Stage {
  readonly lane: LaneTable;
  readonly sql: LaneSql;
  /** By shape object: a batch repeats its shape. */
  readonly fields: WeakMap<Shape, readonly number[]>;
  /** Holds lines of an earlier batch of the open transaction. */
  used: boolean;
  /** Fresh batches in a row that did not go straight into the table. */
  refused: number;
}

/** What the open transaction will have done. */
interface Pending {
  /** Whether the savepoint of a batch stands in it. It is released where the next one is set, or with the commit: a message to the server less. */
  savepoint: boolean;
  readonly streams: Record<string, Counts>;
  readonly conversions: Map<string, number>;
}

/**
 * A commit must be durable when it returns, so a role or database that was set to lose the last moments in a crash is overruled; a whole server that
 * was set so is left as its owner wants it.
 */
const DURABLE = `select set_config('synchronous_commit', 'on', false) from pg_catalog.pg_settings
  where name = 'synchronous_commit' and setting = 'off' and source not in ('configuration file', 'command line', 'default')`;

/** When the client vanishes without a word, or hangs inside of a transaction, the server gives its locks back by itself. */
const ABANDONED = `set tcp_keepalives_idle to 30; set tcp_keepalives_interval to 10; set tcp_keepalives_count to 3; set idle_in_transaction_session_timeout to '30min'`;

/**
 * One connection with one transaction, from the first batch after a commit to the next commit. Each `bulkUpsert` stands behind a savepoint. The
 * owner's epoch is compared inside the transaction that carries the rows, so a stale owner's rows go with its checkpoint.
 */
export async function openLane(init: LaneInit, signal: AbortSignal): Promise<Lane> {
  const { session, owner, tables, checkpoints } = init;
  try {
    const [stages, registered] = await session.run(signal, async () => {
      const found = await laneTables(init);
      await session.query(DURABLE);
      await session.query(ABANDONED);
      const lease = await registerLane(session, tables, owner, checkpoints ? 'must' : 'if-here');
      if (checkpoints) await pruneNotes(session, tables, owner.job);
      const made = found.map((lane, index): Stage => ({ lane, sql: laneSql(lane, index), fields: new WeakMap(), used: false, refused: 0 }));
      for (const { sql } of made) await session.query(sql.createStage);
      return [made, lease] as const;
    });
    return laneOver({ ...init, registered }, new Map(stages.map((stage) => [stage.lane.stream.stream, stage])));
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function laneTables({ session, streams, defaultSchema }: LaneInit): Promise<LaneTable[]> {
  const relations = streams.map(({ target }) => parseStreamName(target, defaultSchema));
  const { tables } = await readTables(
    session,
    relations.filter((relation) => relation !== null),
  );
  return streams.map((stream, index) => {
    const relation = relations[index] ?? null;
    return laneTable(stream, relation === null ? undefined : tableOf(tables, relation));
  });
}

/** With whether the owner's lease is in the same database and lists this session. */
type OpenedLane = LaneInit & { readonly registered: boolean };

function laneOver(init: OpenedLane, stages: ReadonlyMap<string, Stage>): Lane {
  const { session, owner, tables, registered } = init;
  const store = init.checkpoints ? tables : null;
  let pending: Pending | null = null;
  /** Since the last pruning. */
  let notes = 0;
  /** The session does not even roll back any more. */
  let broken = false;
  let closed = false;

  const begin = async (and?: 'savepoint'): Promise<Pending> => {
    if (broken || closed) throw new TrueupError('E_CONNECTION_LOST', `The lane of job '${owner.job}' has failed before; open another.`);
    const statements = [
      ...(pending === null ? [BEGIN] : []),
      ...(and !== undefined && pending?.savepoint === true ? ['release savepoint trueup_batch'] : []),
      ...(and === undefined ? [] : ['savepoint trueup_batch']),
    ];
    if (statements.length > 0) await session.query(statements.join('; '));
    pending ??= { savepoint: false, streams: {}, conversions: new Map() };
    pending.savepoint ||= and !== undefined;
    return pending;
  };
  const rollBack = async (text: string) => {
    await session.query(text).catch(() => {
      broken = true;
    });
  };
  const forget = async () => {
    if (pending === null || closed) return;
    ended();
    if (!broken) await rollBack('rollback');
  };
  /** Whichever way the transaction ended, staging is empty again. */
  const ended = () => {
    pending = null;
    for (const stage of stages.values()) stage.used = false;
  };

  return {
    bulkUpsert: (batch, signal) =>
      run(init, signal, async () => {
        const stage = stages.get(batch.stream);
        if (stage === undefined) throw new TrueupError('E_BUG', `The lane was not opened for stream '${batch.stream}'.`);
        const open = await begin('savepoint');
        try {
          const write: WriteInto = { session, stage, batch };
          const straight = await wentStraight(write, () => session.query('rollback to savepoint trueup_batch'));
          const { faults, ...written } = straight ?? (await writeInto(write, writeBatch));
          if (store !== null && isChange(written.counts)) {
            await noteBatch(session, store, owner, batch);
            notes += 1;
          }
          add(open, batch.stream, written);
          return faults;
        } catch (error) {
          await rollBack('rollback to savepoint trueup_batch');
          throw error;
        }
      }),
    commit: (what, signal) =>
      run(init, signal, async () => {
        const done = await begin();
        try {
          const lettersResolved = store === null ? 0 : await writeStore({ session, store, owner, what });
          if (store !== null && notes >= NOTES_BETWEEN_PRUNES) {
            await pruneNotes(session, store, owner.job);
            notes = 0;
          }
          await session.query('commit');
          ended();
          return resultOf(done, lettersResolved);
        } catch (error) {
          await forget();
          throw error;
        }
      }),
    discard: forget,
    close: async () => {
      if (closed) return;
      await forget();
      closed = true;
      if (registered && !broken) await forgetLane(session, tables, owner).catch(() => undefined);
      await session.close();
    },
  };
}

function isChange({ upserted, deleted }: Counts): boolean {
  return upserted + deleted > 0;
}

/** Work on the lane's session. A signal that is aborted already leaves the lane as it is; one that aborts in the middle costs its session. */
async function run<T>({ session, owner, registered, leaseOwner }: OpenedLane, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await session.run(signal, work);
  } catch (error) {
    if (!registered || !isTrueupError(error) || error.code !== 'E_CONNECTION_LOST') throw error;
    // Whoever takes a job over ends its lanes' backends: then the lost connection is the message that it happened.
    const lease = await leaseOwner(signal).catch(() => undefined);
    if (lease === undefined || lease?.epoch === owner.epoch) throw error;
    throw fenced(owner, lease === null ? 'the lease was released' : `run ${lease.run} took the job over with epoch ${lease.epoch}`);
  }
}

async function writeStore({
  session,
  store,
  owner,
  what,
}: {
  readonly session: Session;
  readonly store: StoreTables;
  readonly owner: Owner;
  readonly what: Commit;
}): Promise<number> {
  await fence(session, store, owner);
  return writeChange(session, store, owner.job, what);
}

interface WriteInto {
  readonly session: Session;
  readonly stage: Stage;
  readonly batch: MappedBatch;
}

/** Fresh batches that may fail to go straight into the table before the lane gives it up: each costs the copying of one batch. */
const MAX_REFUSED = 2;
/** What another way of writing the batch may get over, or else tells more of. */
const REFUSALS: ReadonlySet<string> = new Set(['record', 'order', 'plan', 'access']);

/** Tries a fresh batch straight into the table; `null`, and nothing written, when that is not possible. */
async function wentStraight(write: WriteInto, rollBack: () => Promise<unknown>): Promise<WrittenInto | null> {
  const { stage, batch } = write;
  if (stage.refused >= MAX_REFUSED || !mayGoStraight(stage.lane, batch)) return null;
  try {
    const written = await writeInto(write, async (writer, rows, layoutOf) => {
      await expectNoRows(writer, rows, layoutOf);
      return writeStraight(writer, rows, layoutOf);
    });
    stage.refused = 0;
    return written;
  } catch (error) {
    if (!(error instanceof RowsThere)) {
      const fault = write.session.fault(error);
      if (!isTrueupError(fault) || !REFUSALS.has(fault.fault)) throw fault;
    }
    stage.refused += 1;
    await rollBack();
    return null;
  }
}

type WrittenInto = Written & { readonly converted: ReadonlyMap<string, number> };

async function writeInto({ session, stage, batch }: WriteInto, write: typeof writeBatch): Promise<WrittenInto> {
  const { lane, sql } = stage;
  const fields = stage.fields.get(batch.shape) ?? fieldsOf(lane, batch.shape);
  stage.fields.set(batch.shape, fields);
  const converted = new Map<string, number>();
  const clearStage = async () => {
    if (stage.used) await session.query(sql.truncateStage);
    stage.used = true;
  };
  const note = (field: string, kind: string) => {
    const id = JSON.stringify([batch.stream, field, kind]);
    converted.set(id, (converted.get(id) ?? 0) + 1);
  };
  return { ...(await write({ session, lane, sql, clearStage }, batch, { fields, note })), converted };
}

function add(
  pending: Pending,
  stream: string,
  { counts, converted }: Pick<Written, 'counts'> & { readonly converted: ReadonlyMap<string, number> },
): void {
  const sum = (pending.streams[stream] ??= noCounts());
  for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
  for (const [id, count] of converted) pending.conversions.set(id, (pending.conversions.get(id) ?? 0) + count);
}

function resultOf({ streams, conversions }: Pending, lettersResolved: number): CommitResult {
  const converted = [...conversions].map(([id, count]): Conversion => {
    const [stream, field, kind] = JSON.parse(id) as [string, string, string];
    return { stream, field, kind, count };
  });
  return { streams, lettersResolved, ...(converted.length > 0 ? { conversions: converted } : {}) };
}
