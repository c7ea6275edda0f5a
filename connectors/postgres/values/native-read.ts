import type { PgType, PgTypes } from './native.ts';
import type { Session, TextRow } from '../session/session.ts';

/* Reads pg_type. Needs an empty search_path, so that every name that is not pg_catalog's comes out qualified. */

const TYPES = `
select t.oid::text, n.nspname::text, t.typname::text, pg_catalog.format_type(t.oid, -1), t.typtype::text,
       t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc,
       case when t.typtype = 'd' then t.typbasetype when t.typelem <> 0 then t.typelem end::text,
       case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end,
       coalesce(e.typdelim, t.typdelim)::text,
       (select pg_catalog.json_agg(l.enumlabel order by l.enumsortorder) from pg_catalog.pg_enum l where l.enumtypid = t.oid),
       (select pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', a.atttypid::text, 'text', pg_catalog.format_type(a.atttypid, a.atttypmod)) order by a.attnum)
          from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped),
       case when t.typtype = 'd' then
         coalesce((select ' collate ' || pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.collname)
                     from pg_catalog.pg_collation c join pg_catalog.pg_namespace cn on cn.oid = c.collnamespace
                     join pg_catalog.pg_type b on b.oid = t.typbasetype where c.oid = t.typcollation and t.typcollation <> b.typcollation), '')
         || coalesce(' default ' || t.typdefault, '') || case when t.typnotnull then ' not null' else '' end
         || coalesce((select pg_catalog.string_agg(' constraint ' || pg_catalog.quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid), '' order by k.oid)
                        from pg_catalog.pg_constraint k where k.contypid = t.oid and k.contype = 'c'), '') end,
       (select x.extname::text from pg_catalog.pg_depend d join pg_catalog.pg_extension x on x.oid = d.refobjid
         where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid = t.oid and d.deptype = 'e' limit 1),
       exists (select from pg_catalog.pg_class r where r.oid = t.typrelid and r.relkind <> 'c')
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  left join pg_catalog.pg_type e on e.oid = t.typelem
 where t.oid = any($1::pg_catalog.oid[])`;

const KINDS: Readonly<Record<string, PgType['kind']>> = {
  b: 'base',
  c: 'composite',
  d: 'domain',
  e: 'enum',
  r: 'range',
  m: 'multirange',
  p: 'pseudo',
};

/** Types that the server was made with: nobody changes them, so each session asks once. */
const builtIn = new WeakMap<Session, Map<string, PgType>>();
const FIRST_OWN_OID = 16_384;

/** The types of `oids` and all that they are made of. */
export async function readTypes(session: Session, oids: Iterable<string>): Promise<PgTypes> {
  const kept = builtIn.get(session) ?? new Map<string, PgType>();
  builtIn.set(session, kept);
  const types = new Map<string, PgType>();
  const unknown = (wanted: Iterable<string>) => new Set([...wanted].filter((oid) => !types.has(oid) && !keptFor(oid, kept, types)));
  let wanted = unknown(oids);
  while (wanted.size > 0) {
    const found = (await session.query(TYPES, [`{${[...wanted].join(',')}}`])).map(pgType);
    for (const type of found) {
      types.set(type.oid, type);
      if (Number(type.oid) < FIRST_OWN_OID && type.attributes.length === 0) kept.set(type.oid, type);
    }
    const next = found.flatMap((type) => [...(type.of === null ? [] : [type.of]), ...type.attributes.map((attribute) => attribute.type)]);
    wanted = unknown(next);
  }
  return types;
}

/** Takes a type, and what it is made of, from those that are kept. */
function keptFor(oid: string, kept: ReadonlyMap<string, PgType>, types: Map<string, PgType>): boolean {
  const type = kept.get(oid);
  if (type === undefined || (type.of !== null && !types.has(type.of) && !keptFor(type.of, kept, types))) return false;
  types.set(oid, type);
  return true;
}

function pgType(row: TextRow): PgType {
  const [oid, schema, name, text, typtype, isArray, of, ofText, delimiter, labels, attributes, clauses, extension, ofTable] =
    row as readonly string[] as string[];
  const kind = isArray === 't' ? 'array' : (KINDS[typtype as string] ?? 'pseudo');
  return {
    oid: oid as string,
    schema: schema as string,
    name: name as string,
    text: text as string,
    kind,
    of: kind === 'array' || kind === 'domain' ? ((of as string | null) ?? null) : null,
    ofText: ofText ?? null,
    delimiter: delimiter ?? ',',
    labels: labels ? (JSON.parse(labels) as string[]) : [],
    attributes: kind === 'composite' && attributes ? (JSON.parse(attributes) as PgType['attributes']) : [],
    clauses: clauses ?? '',
    extension: extension ?? null,
    ofTable: ofTable === 't',
  };
}
