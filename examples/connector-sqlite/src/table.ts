import type { LogicalType } from 'trueup/sdk';
import type { Sql } from './file.ts';
import { quote } from './quote.ts';
import { typeOf } from './value.ts';

export interface Column {
  readonly name: string;
  readonly declared: string;
  readonly type: LogicalType;
  readonly nullable: boolean;
  /** Computed by SQLite itself. */
  readonly generated: boolean;
}

/** A table or view as it is now. */
export interface Table {
  readonly name: string;
  readonly kind: 'table' | 'view';
  readonly columns: readonly Column[];
  /** Columns of the primary key; empty: none. */
  readonly primaryKey: readonly string[];
  /** Sets of columns that tell rows apart, byte for byte. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** Tables that this one refers to. */
  readonly refersTo: readonly string[];
}

const OWN = 'trueup_';

export function listTables(sql: Sql): Table[] {
  return sql
    .all(`select name from sqlite_schema where type in ('table', 'view') order by name`)
    .map(([name]) => String(name))
    .filter((name) => !name.startsWith('sqlite_') && !name.startsWith(OWN))
    .flatMap((name) => describeTable(sql, name) ?? []);
}

/** `null`: there is no such table. */
export function describeTable(sql: Sql, name: string): Table | null {
  const [kind] = sql.first(`select type from sqlite_schema where name = ? and type in ('table', 'view')`, name) ?? [];
  if (kind === undefined) return null;
  const primary: [place: number, name: string][] = [];
  const described = sql
    .all('select name, type, "notnull", pk, hidden from pragma_table_xinfo(?)', name)
    .filter(([, , , , hidden]) => hidden !== 1n)
    .map(([column, declared, notNull, pk, hidden]) => {
      if (pk !== 0n) primary.push([Number(pk), String(column)]);
      return { name: String(column), declared: String(declared), notNull: notNull === 1n, generated: hidden !== 0n };
    });
  const primaryKey = primary.sort(([a], [b]) => a - b).map(([, column]) => column);
  const { uniqueKeys, isRowid } = keysOf(sql, name, primaryKey);
  return {
    name,
    kind: kind === 'view' ? 'view' : 'table',
    columns: described.map(({ notNull, ...column }) => ({
      ...column,
      type: typeOf(column.declared),
      nullable: !notNull && !(isRowid && primaryKey.includes(column.name)),
    })),
    primaryKey,
    uniqueKeys,
    refersTo: sql.all('select distinct "table" from pragma_foreign_key_list(?)', name).map(([to]) => String(to)),
  };
}

/** An INTEGER PRIMARY KEY is the row's own number: it has no index, and is never NULL. */
function keysOf(sql: Sql, table: string, primaryKey: readonly string[]): { uniqueKeys: string[][]; isRowid: boolean } {
  const indexes = sql.all('select name, origin from pragma_index_list(?) where "unique" = 1 and partial = 0', table);
  const isRowid = primaryKey.length > 0 && !indexes.some(([, origin]) => origin === 'pk');
  const uniqueKeys = indexes.flatMap(([index]) => {
    const parts = sql.all('select name, coll from pragma_index_xinfo(?) where key = 1', String(index));
    // An expression has no name; another collation takes for one what are two.
    const isPlain = parts.every(([column, collation]) => column !== null && String(collation).toUpperCase() === 'BINARY');
    return isPlain ? [parts.map(([column]) => String(column))] : [];
  });
  return { uniqueKeys: isRowid ? [[...primaryKey], ...uniqueKeys] : uniqueKeys, isRowid };
}

export function columnOf(table: Table, name: string): Column | undefined {
  return table.columns.find((column) => column.name === name);
}

/** Whether these columns, in any order, tell rows apart. */
export function isUnique(table: Table, names: readonly string[]): boolean {
  const wanted = [...names].sort().join('\0');
  return table.uniqueKeys.some((key) => [...key].sort().join('\0') === wanted);
}

/** What the rows of a table are known by: the primary key, else columns that are unique and never NULL; empty: nothing. */
export function keyOf(table: Table): readonly string[] {
  if (table.primaryKey.length > 0 && isUnique(table, table.primaryKey)) return table.primaryKey;
  return table.uniqueKeys.find((key) => key.every((name) => columnOf(table, name)?.nullable === false)) ?? [];
}

export function quoted(table: Pick<Table, 'name'>): string {
  return quote(table.name);
}

export function hasTable(sql: Sql, name: string): boolean {
  return sql.first(`select 1 from sqlite_schema where type = 'table' and name = ?`, name) !== undefined;
}
