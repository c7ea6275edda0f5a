/* What the catalog says of relations, many at once. All of it is visible to every role. */

/** By schema and name, or all (`$1` and `$2` NULL). */
export const RELATIONS = `
select c.oid::text, n.nspname::text, c.relname::text, c.relkind::text,
       case when c.relkind = 'p' then (select pg_catalog.sum(l.reltuples) from pg_catalog.pg_partition_tree(c.oid) p join pg_catalog.pg_class l on l.oid = p.relid where p.isleaf and l.reltuples >= 0)
            when c.reltuples >= 0 and c.relkind in ('r', 'm') then c.reltuples end::pg_catalog.int8::text,
       case when c.relkind in ('r', 'm') then coalesce(a.amname = 'heap', false)
            when c.relkind = 'p' then (select coalesce(pg_catalog.bool_and(l.relkind = 'p' or coalesce(la.amname = 'heap', false)), true)
              from pg_catalog.pg_partition_tree(c.oid) p join pg_catalog.pg_class l on l.oid = p.relid left join pg_catalog.pg_am la on la.oid = l.relam) else false end
       and not exists (select from pg_catalog.pg_inherits i join pg_catalog.pg_class l on l.oid = i.inhrelid where i.inhparent = c.oid and l.relkind = 'f')
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_am a on a.oid = c.relam
 where c.relkind in ('r', 'p', 'v', 'm', 'f') and (
       n.nspname = $1 and c.relname = $2
    or $1 is null and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema', 'trueup') and n.nspname !~ '^pg_(toast|temp)'
       and pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'))
 order by n.nspname, c.relname`;

export const COLUMNS = `
select a.attrelid::text, a.attname::text, a.atttypid::text, pg_catalog.format_type(a.atttypid, a.atttypmod), pg_catalog.format_type(a.atttypid, -1),
       a.attnotnull, pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'), a.attnum::text, a.atttypmod::text
  from pg_catalog.pg_attribute a
 where a.attrelid = any($1::pg_catalog.oid[]) and a.attnum > 0 and not a.attisdropped
 order by a.attrelid, a.attnum`;

/** Of a query: `$1` is what the server said of its result. */
export const QUERY_COLUMNS = `
select null, j.name, j.type::text, pg_catalog.format_type(j.type, j.mod), pg_catalog.format_type(j.type, -1), false, true
  from pg_catalog.json_to_recordset($1::pg_catalog.json) as j(ord pg_catalog.int4, name pg_catalog.text, type pg_catalog.oid, mod pg_catalog.int4)
 order by j.ord`;

export const INDEXES = `
select i.indrelid::text, k.names::text, i.indisunique and k.never_null
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree'
  cross join lateral (
       select pg_catalog.json_agg(a.attname order by x.ord) as names, pg_catalog.bool_and(a.attnotnull) as never_null
         from pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality x(num, ord)
         join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = x.num
        where x.ord <= i.indnkeyatts) k
 where i.indrelid = any($1::pg_catalog.oid[]) and i.indisvalid and i.indpred is null and i.indexprs is null and k.names is not null
 order by i.indrelid, i.indisprimary desc, i.indnkeyatts, i.indexrelid`;

/** Schemas of the operators of the default btree class of types, where it is not pg_catalog. */
export const OPERATOR_SCHEMAS = `
select distinct oc.opcintype::text, n.nspname::text
  from pg_catalog.pg_opclass oc
  join pg_catalog.pg_am m on m.oid = oc.opcmethod and m.amname = 'btree'
  join pg_catalog.pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amoplefttype = oc.opcintype and ao.amoprighttype = oc.opcintype
  join pg_catalog.pg_operator o on o.oid = ao.amopopr
  join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
 where oc.opcdefault and oc.opcintype = any($1::pg_catalog.oid[]) and n.nspname <> 'pg_catalog'`;

/** Foreign keys between relations, partitions apart: `(from, to)`. */
export const REFERENCES = `
select distinct k.conrelid::text, k.confrelid::text
  from pg_catalog.pg_constraint k
 where k.contype = 'f' and k.conparentid = 0 and k.conrelid <> k.confrelid and k.conrelid = any($1::pg_catalog.oid[])`;

/** Counters: columns that draw from a sequence by default or as an identity. */
export const COUNTERS = `
select a.attrelid::text, a.attname::text
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
 where a.attrelid = any($1::pg_catalog.oid[]) and a.attnum > 0 and not a.attisdropped
   and (a.attidentity <> '' or exists (select from pg_catalog.pg_depend d join pg_catalog.pg_class s on s.oid = d.refobjid and s.relkind = 'S'
          where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid))`;
