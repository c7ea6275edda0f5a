import { quoteRelation } from '../quote.ts';
import type { RelationName } from '../quote.ts';
import type { Session } from './session.ts';

/** Who holds fences back, for people. */
export interface Blocker {
  /** ISO; absent where the role may not see it. */
  readonly since?: string;
  /** `pid 4711 (psql), user joe, idle in transaction, writes to public.orders` */
  readonly by: string;
}

/** A lock for writing on the table. */
const WRITES = `w.locktype = 'relation' and w.granted and w.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
             and w.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()) and w.relation = pg_catalog.to_regclass($3)::pg_catalog.oid`;

/**
 * Any open transaction holds a fence back. The one that is named is the oldest of those that hold a lock for writing on the stream's table ($3), where
 * there are such, since what a person looks for is among its rows; else the oldest. Its user and application are visible to every role, its state and begin are not.
 */
const BLOCKERS = `
select b.by || case when b.writes then ', writes to ' || $4 else '' end, b.since
  from (
    select 'prepared transaction ' || pg_catalog.quote_literal(p.gid) || ', user ' || p.owner as by, p.prepared::text as since,
           exists (select from pg_catalog.pg_locks w where w.virtualtransaction = '-1/' || p.transaction::text and ${WRITES}) as writes
      from pg_catalog.pg_prepared_xacts p where p.database = pg_catalog.current_database()
    union all
    select distinct 'pid ' || l.pid || coalesce(' (' || nullif(a.application_name, '') || ')', '') || coalesce(', user ' || a.usename, '')
             || coalesce(', ' || a.state, ''), a.xact_start::text,
           exists (select from pg_catalog.pg_locks w where w.pid = l.pid and ${WRITES})
      from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'virtualxid' and l.mode = 'ExclusiveLock' and l.granted and l.pid <> pg_catalog.pg_backend_pid() and a.usesysid is not null
       and a.datid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
       and l.pid <> all($1::int4[])
       and (a.xact_start is null or a.xact_start <= pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $2::float8 / 1000))
  ) b
 order by b.writes desc, b.since nulls last limit 1`;

export interface BlockerRequest {
  /** Backends of the same process that only read. */
  readonly ownPids: ReadonlySet<number>;
  /** Younger transactions are in nobody's way yet. */
  readonly minAgeMs: number;
  /** The stream and its table; `null`: it is a query. */
  readonly stream: string;
  readonly relation: RelationName | null;
}

export async function readBlocker(session: Session, { ownPids, minAgeMs, stream, relation }: BlockerRequest): Promise<Blocker | null> {
  const [row] = await session.query(BLOCKERS, [
    `{${[...ownPids].join(',')}}`,
    String(minAgeMs),
    relation === null ? null : quoteRelation(relation),
    stream,
  ]);
  if (row === undefined) return null;
  const [by, since] = row as readonly [string, string | null];
  return { by, ...(since === null ? {} : { since: since.replace(' ', 'T').replace(/\+00$/, 'Z') }) };
}
