import type pg from 'pg';
import { TYPE_DEFINITIONS, TYPE_VALUES } from '../servers/postgres-values.ts';

/** A second table beside the orders, for faults that need one. */
export interface FurtherTable {
  readonly name: string;
  /** Its rows in canonical form, read in the source and in the target. */
  readonly expected: string;
  readonly actual: string;
}

const rowsOf = (table: string): string => `select '${table} ' || id as key, md5(t::text) as content from public.${table} as t`;

function sameTable(table: string): FurtherTable {
  return { name: `public.${table}`, expected: rowsOf(table), actual: rowsOf(table) };
}

export const EXTREMES = sameTable('extremes');
export const HEAP = sameTable('heap');

const COLUMNS = Object.keys(TYPE_VALUES).map((type, index) => ({ name: `c${index}`, type }));

export async function createExtremes(client: pg.Client): Promise<void> {
  await client.query(`${TYPE_DEFINITIONS}
    create table public.extremes (id int primary key, ${COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ')}, updated_at timestamptz not null default clock_timestamp())`);
}

/** Every value in a row of its own, the other columns NULL. */
export async function insertExtremes(client: pg.Client): Promise<number> {
  let id = 0;
  for (const { name, type } of COLUMNS)
    for (const value of TYPE_VALUES[type] ?? [])
      await client.query(`insert into public.extremes (id, ${name}) values (${(id += 1)}, ${value})`);
  return id;
}

export async function createHeap(client: pg.Client): Promise<void> {
  await client.query(`create table public.heap (id int primary key, note text, big text, updated_at timestamptz not null default clock_timestamp());
    alter table public.heap alter column big set storage external`);
}

/** Some 250 MB: 40 values of 5 MB between 60,000 narrow rows. */
export async function insertHeap(client: pg.Client): Promise<number> {
  const { rowCount } = await client.query(
    `insert into public.heap (id, note, big) select n, 'note ' || n, case when n % 1500 = 0 then repeat('é' || n % 10, 1700000) end from generate_series(1, 60000) as n`,
  );
  return rowCount ?? 0;
}
