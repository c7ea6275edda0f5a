import { TrueupError } from 'trueup/sdk';
import type { Sql, Value } from './file.ts';
import { nameOf } from './identity.ts';
import { quote, quoteAll } from './quote.ts';
import { affinityOf } from './value.ts';
import { columnOf, keyOf, quoted } from './table.ts';
import type { Table } from './table.ts';

/*
 * SQLite keeps no log that could be read. So triggers note the key of every row that is written or deleted in a table beside it, each key once, with a number
 * that only grows. One writer at a time commits in SQLite: the order of the numbers is the order of the commits, and nothing arrives below a number that was
 * read already.
 */

/** What a table is known to have changed: its name, and which making of it this is. */
export interface ChangeTable {
  readonly name: string;
  /** Columns `k0, k1, …`, in the order of the key. */
  readonly columns: readonly string[];
  readonly key: readonly string[];
}

export function changeTableOf(table: Table): ChangeTable {
  const key = keyOf(table);
  return { name: `trueup_changes_${table.name}`, key, columns: key.map((_name, index) => `k${index}`) };
}

/** Milliseconds since 1970, by whatever SQLite the writers have. */
const NOW = `cast(round((julianday('now') - 2440587.5) * 86400000) as integer)`;

const EVENTS = ['insert', 'update', 'delete'] as const;

/** Written as SQLite keeps it, so that what is there can be compared. */
function triggerText(table: Table, event: (typeof EVENTS)[number]): string {
  const { name, key, columns } = changeTableOf(table);
  const parts = columns.map((column, index) => [quote(column), quote(key[index] ?? '')] as const);
  const forget = (row: 'old' | 'new'): string =>
    `delete from ${quote(name)} where ${parts.map(([column, from]) => `${column} is ${row}.${from}`).join(' and ')};`;
  const note = (row: 'old' | 'new', where = ''): string =>
    `insert into ${quote(name)} (at, ${quoteAll(columns)}) select ${NOW}, ${parts.map(([, from]) => `${row}.${from}`).join(', ')}${where};`;
  const moved = ` where ${parts.map(([, from]) => `old.${from} is not new.${from}`).join(' or ')}`;
  const body = {
    insert: [forget('new'), note('new')],
    update: [forget('old'), forget('new'), note('old', moved), note('new')],
    delete: [forget('old'), note('old')],
  };
  return `CREATE TRIGGER ${triggerName(table, event)} after ${event} on ${quoted(table)} begin ${body[event].join(' ')} end`;
}

function triggerName(table: Table, event: string): string {
  return quote(`trueup_changes_${table.name}_${event}`);
}

function tableText(table: Table): string {
  const { name, key, columns } = changeTableOf(table);
  const declared = columns.map((column, index) => `${quote(column)} ${affinityOf(columnOf(table, key[index] ?? '')?.declared ?? '')}`);
  return `CREATE TABLE ${quote(name)} (seq integer primary key autoincrement, at integer not null, ${declared.join(', ')}, unique (${quoteAll(columns)}))`;
}

function storedText(sql: Sql, name: string): string | null {
  const [text] = sql.first('select sql from sqlite_schema where name = ?', name) ?? [];
  return typeof text === 'string' ? text : null;
}

/** What is missing; empty: every change of the table is noted. Whatever has to be made again notes every row once more: changes may have gone by. */
export function changeTableStatements(sql: Sql, table: Table): string[] {
  const { name, key, columns } = changeTableOf(table);
  const fits = storedText(sql, name) === tableText(table);
  const triggers = EVENTS.map((event) => ({
    drop: `DROP TRIGGER IF EXISTS ${triggerName(table, event)}`,
    create: triggerText(table, event),
    isThere: storedText(sql, `trueup_changes_${table.name}_${event}`) === triggerText(table, event),
  }));
  if (fits && triggers.every(({ isThere }) => isThere) && generationOf(sql, table) !== null) return [];
  const again = fits ? `select ${quoteAll(columns)} from ${quote(name)} union ` : '';
  return [
    ...(fits ? [] : [`DROP TABLE IF EXISTS ${quote(name)}`, tableText(table), generationStatement(table)]),
    ...triggers.flatMap(({ drop, create }) => [drop, create]),
    `INSERT OR REPLACE INTO ${quote(name)} (at, ${quoteAll(columns)}) select ${NOW}, * from (${again}select ${quoteAll(key)} from ${quoted(table)})`,
  ];
}

/** Another one each time the change table is made: its numbers begin again. */
function generationStatement(table: Table): string {
  return `INSERT OR REPLACE INTO trueup_names VALUES (${literal(`changes:${table.name}`)}, lower(hex(randomblob(8))))`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function generationOf(sql: Sql, table: Table): string | null {
  return nameOf(sql, `changes:${table.name}`);
}

/** @throws {TrueupError} `E_PLAN_CHANGED` where changes are not noted (any more) */
export function requireChanges(sql: Sql, table: Table): string {
  const generation = generationOf(sql, table);
  if (generation !== null && changeTableStatements(sql, table).length === 0) return generation;
  throw new TrueupError('E_PLAN_CHANGED', `The triggers that note changes of table '${table.name}' are not there, or are others.`);
}

/** The number of the last change. It only grows, also when the newest entry is gone. */
export function lastChange(sql: Sql, table: Table): bigint {
  const [value] = sql.first('select seq from sqlite_sequence where name = ?', changeTableOf(table).name) ?? [];
  return typeof value === 'bigint' ? value : 0n;
}

export interface Noted {
  readonly seq: bigint;
  readonly atMs: number;
  readonly key: readonly Value[];
}

export function notedOf([seq, at, ...key]: readonly Value[]): Noted {
  return { seq: seq as bigint, atMs: Number(at), key };
}
