import { TrueupError } from '../../../src/sdk.ts';
import type { StreamRef } from '../../../src/sdk.ts';
import { parseStreamName, quoteRelation } from '../quote.ts';
import { resolveReading, useOperators } from './reading.ts';
import type { Reading } from './reading.ts';
import { describeQuery, describeRelation, relationFingerprint } from '../relation.ts';
import type { Relation } from '../relation.ts';
import { openSession } from '../session/session.ts';
import type { Server, Session } from '../session/session.ts';

/** What all reads of one source share. */
export interface SourceContext {
  readonly server: Server;
  /** Backends of this source. They only read, so fences need not wait for them. */
  readonly pids: Set<number>;
  /** For tests alone: a fence that passes at once, to show that the checks notice. */
  readonly withoutFence?: boolean;
}

export interface Snapshot {
  /** Every transaction of this database before it has ended, so what the snapshot does not show was written by it or a later one. */
  readonly horizon: string;
  /** pg_snapshot_xmax: the next transaction id. */
  readonly xmax: bigint;
  readonly reading: Reading;
}

/**
 * The horizon is the oldest transaction that the snapshot takes for running, those of other databases and of VACUUM and ANALYZE apart: they write
 * none of our rows, and waiting for them would have the same rows delivered again and again. Which they are is looked up after the snapshot was
 * taken, by id; one that has ended by then is not found and counts. A standby lists no running transactions, only where they begin.
 */
const SNAPSHOT = `
select case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_snapshot_xmin(s.s)
            else coalesce((select x.id from pg_catalog.pg_snapshot_xip(s.s) x(id)
                            where not exists (select from pg_catalog.pg_stat_activity a where a.backend_xid = x.id::pg_catalog.xid
                                                 and (a.datname <> pg_catalog.current_database() or a.usesysid is null))
                              and not exists (select from pg_catalog.pg_prepared_xacts p where p.transaction = x.id::pg_catalog.xid and p.database <> pg_catalog.current_database())
                            order by x.id limit 1), pg_catalog.pg_snapshot_xmax(s.s)) end::text,
       pg_catalog.pg_snapshot_xmax(s.s)::text
  from pg_catalog.pg_current_snapshot() s(s)`;

/** Reads one stream on a connection of its own. */
export interface StreamReader {
  /** The stream's name. */
  readonly stream: string;
  /** The session, opened where there is none. */
  session(): Promise<Session>;
  /** The stream as it was when it was last looked at; outside of a snapshot. */
  reading(): Promise<Reading>;
  /** Begins one REPEATABLE READ snapshot; fields are looked at again, under a lock that keeps them as they are. */
  begin(): Promise<Snapshot>;
  /** Ends the snapshot. */
  end(): Promise<void>;
  /** Ends the session, whatever it is doing. The next read opens another. */
  drop(): void;
  close(): Promise<void>;
}

export function openStreamReader(context: SourceContext, ref: StreamRef, signal: AbortSignal): StreamReader {
  let session: Session | null = null;
  /** Whether the session is in no transaction. */
  let idle = true;
  let unwatch: () => void = () => undefined;
  let known: Reading | null = null;

  const ensure = async () => {
    if (session !== null) return session;
    signal.throwIfAborted();
    session = context.server.spare.take() ?? (await openSession(context.server, { purpose: 'read', signal }));
    context.pids.add(session.pid);
    unwatch = session.watch(signal);
    return session;
  };
  const forget = () => {
    unwatch();
    if (session !== null) context.pids.delete(session.pid);
    session = null;
  };
  const describe = async (): Promise<Reading> => {
    const on = await ensure();
    const { oid = null, fingerprint = null } = known?.relation ?? {};
    if (known !== null && oid !== null && fingerprint === (await relationFingerprint(on, oid))) return known;
    known = resolveReading(ref, await readRelation(on, context.server, ref), known?.shape ?? null);
    return known;
  };

  return {
    stream: ref.name,
    session: ensure,
    reading: async () => known ?? (await describe()),
    begin: async () => {
      const { relation } = known ?? (await describe());
      const on = await ensure();
      const lock = await lockStatement(on, relation);
      idle = false;
      await on.query('begin isolation level repeatable read read only');
      if (lock !== null) await on.query(lock);
      const [row] = await on.query(SNAPSHOT);
      const reading = await describe();
      await useOperators(on, reading);
      const [horizon, xmax] = row as readonly [string, string];
      return { horizon, xmax: BigInt(xmax), reading };
    },
    end: async () => {
      await session?.query('commit');
      idle = true;
    },
    drop: () => {
      session?.destroy();
      forget();
      idle = true;
    },
    close: async () => {
      const closing = session;
      forget();
      if (closing !== null && idle) await context.server.spare.give(closing);
      else await closing?.close();
    },
  };
}

/** @throws {TrueupError} `E_PLAN_CHANGED` when the relation is gone */
export async function readRelation(
  session: Session,
  server: Server,
  ref: { readonly name: string; readonly query?: string },
): Promise<Relation> {
  const found = await findRelation(session, server, ref);
  if (found === null)
    throw new TrueupError(
      'E_PLAN_CHANGED',
      `Stream '${ref.name}' is not there any more: no table or view of this name that the role can see.`,
    );
  return found;
}

export async function findRelation(
  session: Session,
  server: Server,
  ref: { readonly name: string; readonly query?: string },
): Promise<Relation | null> {
  if (ref.query !== undefined) return describeQuery(session, ref.query);
  const name = parseStreamName(ref.name, server.options.schema);
  return name === null ? null : describeRelation(session, name);
}

/**
 * LOCK TABLE takes no snapshot, so the fields that are read in the snapshot that follows cannot change any more while it lasts. Only tables and
 * views can be locked, and only by a role that may read all of their columns.
 */
async function lockStatement(session: Session, relation: Relation): Promise<string | null> {
  if (relation.name === null || relation.kind === 'matview' || relation.kind === 'foreign') return null;
  const [row] = await session.query(`select pg_catalog.has_table_privilege($1::pg_catalog.oid, 'SELECT')`, [relation.oid]);
  return row?.[0] === 't' ? `lock table ${quoteRelation(relation.name)} in access share mode` : null;
}
