import type { Session } from '../session/session.ts';

/** What the server allows of its log. */
export interface LogFacts {
  readonly walLevel: string;
  readonly standby: boolean;
  readonly role: string;
  readonly mayReplicate: boolean;
  /** Whether it may make a publication in this database. */
  readonly mayCreate: boolean;
  readonly isSuperuser: boolean;
  readonly database: string;
  readonly maxSlots: number;
  readonly usedSlots: number;
  /** 180001. */
  readonly version: number;
}

/** Some services give the right to replicate through a role of their own. */
const FACTS = `
select pg_catalog.current_setting('wal_level'), pg_catalog.pg_is_in_recovery(), current_user::text,
       r.rolsuper or r.rolreplication or exists (select from pg_catalog.pg_roles g where g.rolname = 'rds_replication' and pg_catalog.pg_has_role(g.oid, 'member')),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), r.rolsuper, pg_catalog.current_database()::text,
       pg_catalog.current_setting('max_replication_slots'), (select pg_catalog.count(*) from pg_catalog.pg_replication_slots)::text,
       pg_catalog.current_setting('server_version_num')
  from pg_catalog.pg_roles r where r.rolname = current_user`;

export async function readLogFacts(session: Session): Promise<LogFacts> {
  const [row] = await session.query(FACTS);
  const [walLevel, standby, role, mayReplicate, mayCreate, isSuperuser, database, maxSlots, usedSlots, version] = row as readonly string[];
  return {
    walLevel: walLevel as string,
    standby: standby === 't',
    role: role as string,
    mayReplicate: mayReplicate === 't',
    mayCreate: mayCreate === 't',
    isSuperuser: isSuperuser === 't',
    database: database as string,
    maxSlots: Number(maxSlots),
    usedSlots: Number(usedSlots),
    version: Number(version),
  };
}

/** Whether a table could be read from the log without changing the server. */
export function offersLog({ walLevel, standby, mayReplicate }: LogFacts): boolean {
  return walLevel === 'logical' && !standby && mayReplicate;
}

/** A table whose rows are in the log: the stream's own, or one of its partitions. */
export interface LoggedTable {
  /** oid of the stream's table. */
  readonly of: string;
  /** As SQL. */
  readonly name: string;
  /** pg_class.relreplident. */
  readonly identity: string;
  /** What old rows in the log hold. */
  readonly identityColumns: readonly string[];
  readonly generated: readonly string[];
  /** UNLOGGED tables are in no log. */
  readonly unlogged: boolean;
  /** Whether the role owns the stream's table. */
  readonly owned: boolean;
}

const TABLES = `
select c.oid::text, x.oid::pg_catalog.regclass::text, l.relreplident::text,
       case l.relreplident
         when 'f' then (select pg_catalog.json_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = l.oid and a.attnum > 0 and not a.attisdropped)
         when 'n' then null
         else (select pg_catalog.json_agg(a.attname) from pg_catalog.pg_index i join pg_catalog.pg_attribute a on a.attrelid = l.oid and a.attnum = any(i.indkey)
                where i.indrelid = l.oid and case l.relreplident when 'd' then i.indisprimary else i.indisreplident end) end,
       (select pg_catalog.json_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> ''),
       l.relpersistence = 'u', pg_catalog.pg_has_role(c.relowner, 'usage')
  from pg_catalog.pg_class c
  cross join lateral (select c.oid where c.relkind = 'r' union all select t.relid from pg_catalog.pg_partition_tree(c.oid) t where c.relkind = 'p' and t.isleaf) x(oid)
  join pg_catalog.pg_class l on l.oid = x.oid
 where c.oid = any($1::pg_catalog.oid[])`;

export async function readLoggedTables(session: Session, oids: readonly string[]): Promise<LoggedTable[]> {
  const rows = await session.query(TABLES, [`{${oids.join(',')}}`]);
  return rows.map(([of, name, identity, columns, generated, unlogged, owned]) => ({
    of: of as string,
    name: name as string,
    identity: identity as string,
    identityColumns: JSON.parse(columns ?? '[]') as string[],
    generated: JSON.parse(generated ?? '[]') as string[],
    unlogged: unlogged === 't',
    owned: owned === 't',
  }));
}

export interface Publication {
  readonly allTables: boolean;
  /** Kinds of changes that it leaves out. */
  readonly leavesOut: readonly string[];
  /** Changes of partitions are told under the name of their table. */
  readonly viaRoot: boolean;
  readonly owned: boolean;
  /** Columns and filter by `schema.table` in JSON. */
  readonly tables: ReadonlyMap<string, { readonly columns: readonly string[] | null; readonly filter: string | null }>;
}

/** `null`: there is none of this name. */
export async function readPublication(session: Session, name: string): Promise<Publication | null> {
  const [row] = await session.query(
    `select p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot, pg_catalog.pg_has_role(p.pubowner, 'usage')
       from pg_catalog.pg_publication p where p.pubname = $1`,
    [name],
  );
  if (row === undefined) return null;
  const [allTables, inserts, updates, deletes, truncates, viaRoot, owned] = row.map((cell) => cell === 't');
  const tables = await session.query(
    `select t.schemaname::text, t.tablename::text, pg_catalog.to_json(t) ->> 'attnames', pg_catalog.to_json(t) ->> 'rowfilter'
       from pg_catalog.pg_publication_tables t where t.pubname = $1`,
    [name],
  );
  const kinds = { insert: inserts, update: updates, delete: deletes, truncate: truncates };
  return {
    allTables: allTables ?? false,
    leavesOut: Object.entries(kinds).flatMap(([kind, there]) => (there === true ? [] : [kind])),
    viaRoot: viaRoot ?? false,
    owned: owned ?? false,
    tables: new Map(
      tables.map(([schema, table, columns, filter]) => [
        JSON.stringify([schema, table]),
        { columns: columns === null || columns === undefined ? null : (JSON.parse(columns) as string[]), filter: filter ?? null },
      ]),
    ),
  };
}
