import type { LogicalType } from '../../../src/sdk.ts';
import { readTypes } from '../values/native-read.ts';
import { logicalType } from '../values/native.ts';
import type { PgTypes } from '../values/native.ts';
import type { RelationName } from '../quote.ts';
import type { Session, TextRow } from '../session/session.ts';

/** A column of a table that is written to. Names of types are qualified, as in `NativeType.type`. */
export interface TargetColumn {
  readonly name: string;
  /** pg_type.oid. */
  readonly type: string;
  /** With its modifier: `numeric(10,2)`, `public.mood[]`. */
  readonly text: string;
  /** The same for a domain's underlying type; for any other type `text` again. */
  readonly baseText: string;
  readonly logical: LogicalType;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  readonly identity: 'always' | 'default' | null;
  readonly generated: boolean;
}

export interface TargetTable {
  readonly relation: RelationName;
  readonly oid: string;
  /** pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table. */
  readonly kind: string;
  readonly unlogged: boolean;
  /** Whether the role may alter it. */
  readonly owned: boolean;
  readonly privileges: ReadonlySet<string>;
  readonly columns: readonly TargetColumn[];
  readonly unique: readonly UniqueIndex[];
  /** Oids of tables that its foreign keys refer to. */
  readonly references: readonly string[];
  /** TRUNCATE would miss what hangs on its deletes: foreign keys that refer to it, triggers. */
  readonly watchesDeletes: boolean;
}

export interface UniqueIndex {
  readonly name: string;
  readonly columns: readonly string[];
  /** Serves ON CONFLICT: valid, immediate, of plain columns and every row. */
  readonly usable: boolean;
  /** A failed `create index concurrently` left it behind. */
  readonly valid: boolean;
}

const RELATIONS = `
select r.schema, r.name, c.oid::text, c.relkind::text, (c.relpersistence = 'u')::int, pg_catalog.pg_has_role(c.relowner, 'USAGE')::int,
       (select pg_catalog.json_agg(p) from pg_catalog.unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) p where pg_catalog.has_table_privilege(c.oid, p)),
       (exists (select from pg_catalog.pg_constraint k where k.contype = 'f' and k.confrelid = c.oid and k.conrelid <> c.oid)
         or exists (select from pg_catalog.pg_trigger g where g.tgrelid = c.oid and not g.tgisinternal and g.tgtype & 8 = 8))::int,
       (select pg_catalog.json_agg(distinct k.confrelid::text) from pg_catalog.pg_constraint k where k.contype = 'f' and k.conrelid = c.oid and k.confrelid <> c.oid)
  from pg_catalog.json_to_recordset($1::json) r(schema text, name text)
  join pg_catalog.pg_namespace n on n.nspname = r.schema
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = r.name and c.relkind in ('r', 'p', 'v', 'm', 'f')
 where pg_catalog.has_schema_privilege(n.oid, 'USAGE')`;

const COLUMNS = `
select a.attrelid::text, a.attname::text, a.atttypid::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull::int, a.atthasdef::int, a.attidentity::text, a.attgenerated::text
  from pg_catalog.pg_attribute a where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped order by a.attrelid, a.attnum`;

const INDEXES = `
select i.indrelid::text, x.relname::text,
       (select pg_catalog.json_agg(a.attname order by k.at) from pg_catalog.unnest(i.indkey::int2[]) with ordinality k(attnum, at)
          join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum where k.at <= i.indnkeyatts),
       (i.indisvalid and i.indisready and i.indimmediate and i.indpred is null and i.indexprs is null)::int, i.indisvalid::int
  from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid where i.indrelid = any($1::oid[]) and i.indisunique`;

export interface Tables {
  /** Those that exist and whose schema the role may use. */
  readonly tables: readonly TargetTable[];
  readonly types: PgTypes;
}

/** Reads what the catalog says of these relations. Not inside of a transaction. */
export async function readTables(session: Session, relations: readonly RelationName[]): Promise<Tables> {
  // Without a search path every type comes out qualified, as the source writes it.
  await session.query(`begin isolation level repeatable read read only; set local search_path to ''`);
  try {
    const rows = await session.query(RELATIONS, [JSON.stringify(relations)]);
    const oids = [`{${rows.map((row) => row[2]).join(',')}}`];
    const columns = await session.query(COLUMNS, oids);
    const indexes = await session.query(INDEXES, oids);
    const types = await readTypes(session, new Set(columns.map((row) => row[2] as string)));
    return { tables: rows.map((row) => table(row, { columns, indexes, types })), types };
  } finally {
    await session.query('rollback');
  }
}

function table(
  row: TextRow,
  found: { readonly columns: readonly TextRow[]; readonly indexes: readonly TextRow[]; readonly types: PgTypes },
): TargetTable {
  const [schema, name, oid, kind, unlogged, owned, privileges, watchesDeletes, references] = row as readonly string[];
  return {
    relation: { schema: schema as string, name: name as string },
    oid: oid as string,
    kind: kind as string,
    unlogged: unlogged === '1',
    owned: owned === '1',
    privileges: new Set(list(privileges)),
    columns: found.columns.filter((column) => column[0] === oid).map((column) => targetColumn(column, found.types)),
    unique: found.indexes.filter((index) => index[0] === oid).map(uniqueIndex),
    references: list(references),
    watchesDeletes: watchesDeletes === '1',
  };
}

function targetColumn(row: TextRow, types: PgTypes): TargetColumn {
  const [, name, type, text, notNull, hasDefault, identity, generated] = row as readonly string[];
  return {
    name: name as string,
    type: type as string,
    text: text as string,
    baseText: baseText(type as string, text as string, types),
    logical: logicalType(type as string, types),
    notNull: notNull === '1' || domainRefusesNull(type as string, types),
    hasDefault: hasDefault === '1',
    identity: identity === 'a' ? 'always' : identity === 'd' ? 'default' : null,
    generated: generated !== '',
  };
}

function baseText(oid: string, text: string, types: PgTypes): string {
  const type = types.get(oid);
  return type?.kind === 'domain' ? baseText(type.of as string, type.ofText as string, types) : text;
}

function domainRefusesNull(oid: string, types: PgTypes): boolean {
  const type = types.get(oid);
  return type?.kind === 'domain' && (/ not null\b/.test(type.clauses) || domainRefusesNull(type.of as string, types));
}

function uniqueIndex(row: TextRow): UniqueIndex {
  const [, name, columns, usable, valid] = row as readonly string[];
  return { name: name as string, columns: list(columns), usable: usable === '1', valid: valid === '1' };
}

function list(json: string | null | undefined): string[] {
  return json ? (JSON.parse(json) as string[]) : [];
}

export function tableOf(tables: readonly TargetTable[], relation: RelationName): TargetTable | undefined {
  return tables.find((candidate) => candidate.relation.schema === relation.schema && candidate.relation.name === relation.name);
}
