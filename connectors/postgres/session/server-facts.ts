import type { Reading } from '../read/reading.ts';
import type { Session } from './session.ts';

/** What a read must know of the server; asked for at the beginning of every pass, because a standby can be promoted. */
export interface ServerFacts {
  readonly standby: boolean;
  /** Of the WAL. A new one after a failover or a restore. */
  readonly timeline: string;
  /** `170004` for 17.4. */
  readonly version: number;
}

export async function readServerFacts(session: Session): Promise<ServerFacts> {
  const [row] = await session.query(
    `select pg_catalog.pg_is_in_recovery(),
            case when pg_catalog.pg_is_in_recovery() then (select pg_catalog.lpad(pg_catalog.upper(pg_catalog.to_hex(timeline_id)), 8, '0') from pg_catalog.pg_control_checkpoint())
                 else pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) end,
            pg_catalog.current_setting('server_version_num')`,
  );
  return { standby: row?.[0] === 't', timeline: row?.[1] as string, version: Number(row?.[2]) };
}

/** Names the data: the cluster (the same for a standby and after a failover) and the database in it, by its oid, which a rename keeps. */
export async function readIdentity(session: Session): Promise<string> {
  const [row] = await session.query(
    `select s.system_identifier::text, d.oid::text
       from pg_catalog.pg_control_system() s, pg_catalog.pg_database d where d.datname = pg_catalog.current_database()`,
  );
  const [system, oid] = row as readonly [string, string];
  return `postgres:${system}/${oid}`;
}

/** The sequence that a column draws from by its default or as an identity, and how many values a session takes at once. `null`: there is none that the catalog knows of. */
export async function columnSequence(
  session: Session,
  reading: Reading,
): Promise<{ readonly name: string; readonly cache: number } | null> {
  const { relation, order } = reading;
  if (relation.oid === null || order === null) return null;
  const [row] = await session.query(
    `select n.nspname || '.' || c.relname, q.seqcache::text
       from pg_catalog.pg_attribute a
       join pg_catalog.pg_depend d on (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum and d.deptype in ('a', 'i'))
         or (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = (select f.oid from pg_catalog.pg_attrdef f where f.adrelid = a.attrelid and f.adnum = a.attnum))
       join pg_catalog.pg_class c on c.relkind = 'S' and c.oid = case when d.deptype in ('a', 'i') and d.refobjsubid = a.attnum and d.refobjid = a.attrelid then d.objid else d.refobjid end
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       join pg_catalog.pg_sequence q on q.seqrelid = c.oid
      where a.attrelid = $1::pg_catalog.oid and a.attname = $2
      order by q.seqcache desc limit 1`,
    [relation.oid, order.name],
  );
  return row === undefined ? null : { name: row[0] as string, cache: Number(row[1]) };
}
