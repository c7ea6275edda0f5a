import type { PgTypes } from './values/native.ts';
import { readTypes } from './values/native-read.ts';
import { quoteRelation } from './quote.ts';
import type { RelationName } from './quote.ts';
import { COLUMNS, INDEXES, OPERATOR_SCHEMAS, QUERY_COLUMNS, RELATIONS } from './relation-sql.ts';
import type { Session, TextRow } from './session/session.ts';

export interface Column {
  readonly name: string;
  /** oid of its type. */
  readonly type: string;
  /** format_type with its modifier: `numeric(10,2)`. */
  readonly text: string;
  /** What a value is cast to: the type without a modifier, since `'ab'::character` would cut. */
  readonly cast: string;
  readonly notNull: boolean;
  /** Whether the role may read it. */
  readonly readable: boolean;
  /** Schema of the operators that order it, when it is not pg_catalog: they must be on the search_path or another type's take their place. */
  readonly operatorSchema: string | null;
}

/** A valid index over whole columns, without a condition. */
export interface Index {
  readonly columns: readonly string[];
  /** Unique, over columns that are never NULL. */
  readonly isKey: boolean;
}

export type RelationKind = 'table' | 'partitioned' | 'view' | 'matview' | 'foreign' | 'query';

/** What a stream is read from. */
export interface Relation {
  readonly kind: RelationKind;
  /** `null`: a query. */
  readonly name: RelationName | null;
  readonly oid: string | null;
  /** What stands behind FROM: `"public"."orders"`, or the query in parentheses. */
  readonly from: string;
  readonly columns: readonly Column[];
  readonly types: PgTypes;
  /** The primary key first. */
  readonly indexes: readonly Index[];
  /** Whether every row has an `xmin` of this server. */
  readonly hasXmin: boolean;
  readonly rowEstimate: number | null;
  /** As `relationFingerprint` would have said when the columns were read. `null`: a query. */
  readonly fingerprint: string | null;
}

const KINDS: Readonly<Record<string, RelationKind>> = { r: 'table', p: 'partitioned', v: 'view', m: 'matview', f: 'foreign' };

/** Unique and never NULL, the primary key first. */
export function relationKeys(relation: Relation): (readonly string[])[] {
  return relation.indexes.filter((index) => index.isKey).map((index) => index.columns);
}

/** One relation by name. `null`: there is none that the role can see. */
export async function describeRelation(session: Session, name: RelationName): Promise<Relation | null> {
  const [found] = await describeRelations(session, name);
  return found ?? null;
}

/** Relations that the role can read something of: one by name, or all that are no partition, no system table and of no extension. */
export async function describeRelations(session: Session, name: RelationName | null): Promise<Relation[]> {
  return qualified(session, async () => {
    const found = await session.query(RELATIONS, [name?.schema ?? null, name?.name ?? null]);
    const oids = `{${found.map(([oid]) => oid).join(',')}}`;
    const columnRows = found.length === 0 ? [] : await session.query(COLUMNS, [oids]);
    const indexRows = found.length === 0 ? [] : await session.query(INDEXES, [oids]);
    const { types, schemas } = await typesOf(
      session,
      columnRows.map((row) => row[2] as string),
    );
    const columns = Map.groupBy(columnRows, ([oid]) => oid);
    const indexes = Map.groupBy(indexRows, ([oid]) => oid);
    return found.map((row): Relation => {
      const [oid, schema, relname, relkind, rowEstimate, hasXmin] = row as readonly [string, string, string, string, string | null, string];
      return {
        kind: KINDS[relkind] as RelationKind,
        name: { schema, name: relname },
        oid,
        from: quoteRelation({ schema, name: relname }),
        columns: (columns.get(oid) ?? []).map((column) => columnOf(column, schemas)),
        types,
        indexes: (indexes.get(oid) ?? []).map(([, names, isKey]) => ({
          columns: JSON.parse(names as string) as string[],
          isKey: isKey === 't',
        })),
        hasXmin: hasXmin === 't',
        rowEstimate: rowEstimate === null ? null : Number(rowEstimate),
        fingerprint: fingerprintOf(columns.get(oid) ?? []),
      };
    });
  });
}

/** A query stream. The columns are what the server says of the query; nothing of it is run. */
export async function describeQuery(session: Session, query: string): Promise<Relation> {
  const from = `(\n${query.replace(/;\s*$/, '')}\n)`;
  const { fields } = await session.client.query(`select * from ${from} as t limit 0`).catch((error: unknown) => {
    throw session.fault(error);
  });
  const described = fields.map((field, ord) => ({ ord, name: field.name, type: field.dataTypeID, mod: field.dataTypeModifier }));
  return qualified(session, async () => {
    const rows = await session.query(QUERY_COLUMNS, [JSON.stringify(described)]);
    const { types, schemas } = await typesOf(
      session,
      rows.map((row) => row[2] as string),
    );
    return {
      kind: 'query',
      name: null,
      oid: null,
      from,
      columns: rows.map((row) => columnOf(row, schemas)),
      types,
      indexes: [],
      hasXmin: false,
      rowEstimate: null,
      fingerprint: null,
    };
  });
}

/** Runs `work` under an empty search_path, where every name that is not pg_catalog's comes out qualified. */
async function qualified<T>(session: Session, work: () => Promise<T>): Promise<T> {
  // In this order: a list is evaluated from left to right.
  const [row] = await session.query(`select pg_catalog.current_setting('search_path'), pg_catalog.set_config('search_path', '', false)`);
  const result = await work();
  await session.query(`select pg_catalog.set_config('search_path', $1, false)`, [row?.[0] as string]);
  return result;
}

/** The types of columns, and which of them are ordered by operators of another schema than pg_catalog. */
async function typesOf(
  session: Session,
  oids: readonly string[],
): Promise<{ readonly types: PgTypes; readonly schemas: ReadonlyMap<string, string> }> {
  const types = await readTypes(session, new Set(oids));
  const baseOf = (oid: string): string => {
    const type = types.get(oid);
    return type?.kind === 'domain' ? baseOf(type.of as string) : oid;
  };
  const foreign = [...new Set(oids)].filter((oid) => types.get(baseOf(oid))?.schema !== 'pg_catalog');
  if (foreign.length === 0) return { types, schemas: new Map() };
  const rows = await session.query(OPERATOR_SCHEMAS, [`{${foreign.map(baseOf).join(',')}}`]);
  const byBase = new Map(rows as unknown as readonly (readonly [string, string])[]);
  return {
    types,
    schemas: new Map(foreign.flatMap((oid) => (byBase.has(baseOf(oid)) ? [[oid, byBase.get(baseOf(oid)) as string] as const] : []))),
  };
}

function columnOf(row: TextRow, schemas: ReadonlyMap<string, string>): Column {
  const [, name, type, text, cast, notNull, readable] = row as readonly string[] as string[];
  return {
    name: name as string,
    type: type as string,
    text: text as string,
    cast: cast as string,
    notNull: notNull === 't',
    readable: readable === 't',
    operatorSchema: schemas.get(type as string) ?? null,
  };
}

/** What `relationFingerprint` says of the same columns. */
function fingerprintOf(columns: readonly TextRow[]): string {
  return columns.map(([, name, type, , , notNull, , number, modifier]) => [number, name, type, modifier, notNull].join(':')).join(',');
}

/** Changes exactly when the columns of a relation changed; cheap enough to ask for in every snapshot. */
export async function relationFingerprint(session: Session, oid: string): Promise<string> {
  const [row] = await session.query(
    `select pg_catalog.string_agg(pg_catalog.concat_ws(':', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull), ',' order by a.attnum)
       from pg_catalog.pg_attribute a where a.attrelid = $1::pg_catalog.oid and a.attnum > 0 and not a.attisdropped`,
    [oid],
  );
  return row?.[0] ?? '';
}
