import { TrueupError } from '../../src/sdk.ts';
import type { StreamRef } from '../../src/sdk.ts';
import { parseStreamName, quoteRelation } from './quote.ts';
import { resolveReading, useOperators } from './reading.ts';
import type { Reading } from './reading.ts';
import { describeQuery, describeRelation, relationFingerprint } from './relation.ts';
import type { Relation } from './relation.ts';
import { openSession } from './session.ts';
import type { Server, Session } from './session.ts';

/** What all reads of one source share. */
export interface SourceContext {
  readonly server: Server;
  /** Backends of this source. They only read, so fences need not wait for them. */
  readonly pids: Set<number>;
  /** For tests alone: a fence that passes at once, to show that the checks notice. */
  readonly withoutFence?: boolean;
}

export interface Snapshot {
  /** pg_snapshot_xmin: every transaction before it has ended. */
  readonly xmin: string;
  /** pg_snapshot_xmax: the next transaction id. */
  readonly xmax: bigint;
  readonly reading: Reading;
}

/** Reads one stream on a connection of its own. */
export interface StreamReader {
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
  let unwatch: () => void = () => undefined;
  let known: { readonly reading: Reading; readonly fingerprint: string | null } | null = null;

  const ensure = async () => {
    if (session !== null) return session;
    session = await openSession(context.server, { purpose: 'read', signal });
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
    const oid = known?.reading.relation.oid ?? null;
    const fingerprint = oid === null ? null : await relationFingerprint(on, oid);
    if (known !== null && fingerprint !== null && fingerprint === known.fingerprint) return known.reading;
    const relation = await readRelation(on, context.server, ref);
    const reading = resolveReading(ref, relation, known?.reading.shape ?? null);
    known = { reading, fingerprint: relation.oid === null ? null : await relationFingerprint(on, relation.oid) };
    return reading;
  };

  return {
    session: ensure,
    reading: async () => known?.reading ?? (await describe()),
    begin: async () => {
      const { relation } = known?.reading ?? (await describe());
      const on = await ensure();
      const lock = await lockStatement(on, relation);
      await on.query('begin isolation level repeatable read read only');
      if (lock !== null) await on.query(lock);
      const [row] = await on.query(
        'select pg_catalog.pg_snapshot_xmin(s)::text, pg_catalog.pg_snapshot_xmax(s)::text from pg_catalog.pg_current_snapshot() s',
      );
      const reading = await describe();
      await useOperators(on, reading);
      const [xmin, xmax] = row as readonly [string, string];
      return { xmin, xmax: BigInt(xmax), reading };
    },
    end: async () => {
      await session?.query('commit');
    },
    drop: () => {
      session?.destroy();
      forget();
    },
    close: async () => {
      const closing = session;
      forget();
      await closing?.close();
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
