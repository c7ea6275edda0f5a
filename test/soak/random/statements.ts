import type { PlannedColumn, TablePlan } from './plan.ts';
import type { Random } from './prng.ts';
import { ident, idents, literal } from './sql.ts';
import { columnType } from './texts.ts';
import { KINDS } from './values.ts';

/* The writes of a workload, as SQL. */

/** One statement on one table, drawn at random. Rows that somebody else holds are left out where several are written. */
export function someStatement(table: TablePlan, random: Random): string {
  if (table.method.by === 'sequence')
    return random.weighted([
      [8, () => insertNew(table, random, random.int(1, 4))],
      [1, () => insertNew(table, random, 60)],
      [2, () => remove(table, random)],
    ])();
  return random.weighted([
    [6, () => upsert(table, random, random.int(1, 3))],
    [1, () => upsert(table, random, 50)],
    [6, () => updateOne(table, random)],
    [4, () => updateSome(table, random, random.int(2, 20))],
    [0.5, () => updateSome(table, random, 1_000_000)],
    [1.5, () => touch(table, random)],
    [1.5, () => remove(table, random)],
    [1, () => changeKey(table, random)],
    [1, () => removeAndComeBack(table, random)],
    [table.deletesWhen === null ? 0 : 2, () => setGone(table, random)],
    [0.4, () => huge(table, random)],
  ])();
}

export function full(table: TablePlan): string {
  return `public.${ident(table.name)}`;
}

function cast(text: string, column: PlannedColumn): string {
  return `${literal(text)}::${columnType(column)}`;
}

function value(column: PlannedColumn, random: Random): string {
  return column.nullable && random.chance(0.15) ? 'null' : cast(KINDS[column.kind].value(random), column);
}

function keyTexts(table: TablePlan, random: Random, count: number): (readonly string[])[] {
  return random.sample(table.universe, count);
}

function keyValues(table: TablePlan, texts: readonly string[]): string[] {
  return table.key.map((column, index) => cast(texts[index] as string, column));
}

function isOne(table: TablePlan, random: Random): string {
  const [texts = []] = keyTexts(table, random, 1);
  const values = keyValues(table, texts);
  return table.key.map((column, index) => `${ident(column.name)} = ${values[index]}`).join(' and ');
}

/** `null`: the method needs none. */
function stamp(table: TablePlan, random: Random): readonly [string, string] | null {
  const { field, stamps } = table.method;
  return field === undefined || stamps.length === 0 ? null : [field, random.pick(stamps)];
}

function assign(pairs: readonly (readonly [string, string] | null)[]): string {
  const given = pairs.filter((pair) => pair !== null);
  return given.map(([name, sql]) => `${ident(name)} = ${sql}`).join(', ');
}

export function insertRows(table: TablePlan, random: Random, keys: readonly (readonly string[])[]): string {
  const stamped = stamp(table, random);
  const names = [...table.key, ...table.columns].map((column) => column.name);
  const rows = keys.map((texts) => [
    ...keyValues(table, texts),
    ...table.columns.map((column) => value(column, random)),
    ...(stamped === null ? [] : [stamped[1]]),
  ]);
  return `insert into ${full(table)} (${idents(stamped === null ? names : [...names, stamped[0]])}) values ${rows.map((row) => `(${row.join(', ')})`).join(', ')}`;
}

function insertNew(table: TablePlan, random: Random, count: number): string {
  return `${insertRows(table, random, keyTexts(table, random, count))} on conflict do nothing`;
}

function upsert(table: TablePlan, random: Random, count: number): string {
  const insert = insertRows(table, random, keyTexts(table, random, count));
  // The stamp is drawn again once the row is locked: a write that waited is stamped after what it waited for.
  const sets = assign([...table.columns.map(({ name }) => [name, `excluded.${ident(name)}`] as const), stamp(table, random)]);
  return `${insert} on conflict (${idents(table.key.map(({ name }) => name))}) do update set ${sets}`;
}

function changed(table: TablePlan, random: Random): string {
  const columns = random.sample(table.columns, random.int(1, 3)).map((column) => [column.name, value(column, random)] as const);
  return assign([...columns, stamp(table, random)]);
}

function updateOne(table: TablePlan, random: Random): string {
  return `update ${full(table)} set ${changed(table, random)} where ${isOne(table, random)}`;
}

function updateSome(table: TablePlan, random: Random, count: number): string {
  const keys = idents(table.key.map(({ name }) => name));
  const order = random.pick([keys, `md5(row(${keys})::text)`]);
  return `update ${full(table)} set ${changed(table, random)} where (${keys}) in (select ${keys} from ${full(table)} order by ${order} limit ${count} for update skip locked)`;
}

/** Writes a row as it is. */
function touch(table: TablePlan, random: Random): string {
  const { name } = table.key[0] as PlannedColumn;
  return `update ${full(table)} set ${assign([[name, ident(name)], stamp(table, random)])} where ${isOne(table, random)}`;
}

function remove(table: TablePlan, random: Random): string {
  return `delete from ${full(table)} where ${isOne(table, random)}`;
}

/** Fails where the new key is taken: then the writer takes its transaction back. */
function changeKey(table: TablePlan, random: Random): string {
  const [texts = []] = keyTexts(table, random, 1);
  const values = keyValues(table, texts);
  return `update ${full(table)} set ${assign([...table.key.map(({ name }, index) => [name, values[index] as string] as const), stamp(table, random)])} where ${isOne(table, random)}`;
}

function removeAndComeBack(table: TablePlan, random: Random): string {
  const [texts = []] = keyTexts(table, random, 1);
  const values = keyValues(table, texts);
  const where = table.key.map(({ name }, index) => `${ident(name)} = ${values[index]}`).join(' and ');
  return `delete from ${full(table)} where ${where}; ${insertRows(table, random, [texts])}`;
}

function setGone(table: TablePlan, random: Random): string {
  return `update ${full(table)} set ${assign([['gone', random.pick(['true', 'true', 'false', 'null'])], stamp(table, random)])} where ${isOne(table, random)}`;
}

function huge(table: TablePlan, random: Random): string {
  const column = table.columns.find(({ kind }) => kind === 'text');
  if (column === undefined) return updateOne(table, random);
  return `update ${full(table)} set ${assign([[column.name, `repeat('0123456789é', ${random.pick([1_000, 30_000, 200_000])})`], stamp(table, random)])} where ${isOne(table, random)}`;
}
