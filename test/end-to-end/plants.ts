import type { TestDatabase } from '../servers/postgres.ts';

/** A kind of difference that is planted in the target. */
export interface Plant {
  readonly name: string;
  readonly kind: 'missing' | 'extra' | 'different';
  /** The one field that differs. */
  readonly field?: string;
  /** What is done to the rows of the target whose id is in `ids`. */
  sql(ids: string): string;
}

/** Every kind of difference that a verify must find. */
export const PLANTS: readonly Plant[] = [
  { name: 'a missing row', kind: 'missing', sql: (ids) => `delete from public.things where ${ids}` },
  {
    name: 'a row too many',
    kind: 'extra',
    sql: (ids) => `insert into public.things select -id, at, amount, label, ratio, details, flag from public.things where ${ids}`,
  },
  { name: 'one microsecond', kind: 'different', field: 'at', sql: (ids) => set(`at = at + interval '1 microsecond'`, ids) },
  { name: 'one digit of a numeric', kind: 'different', field: 'amount', sql: (ids) => set('amount = amount + 0.000001', ids) },
  { name: "NULL for ''", kind: 'different', field: 'label', sql: (ids) => set('label = null', ids) },
  { name: 'a space at the end', kind: 'different', field: 'label', sql: (ids) => set(`label = label || ' '`, ids) },
  { name: '-0 for 0', kind: 'different', field: 'ratio', sql: (ids) => set(`ratio = '-0'`, ids) },
  {
    name: 'another value deep in jsonb',
    kind: 'different',
    field: 'details',
    sql: (ids) => set(`details = jsonb_set(details, '{b,0}', '2')`, ids),
  },
  { name: 'a flag turned over', kind: 'different', field: 'flag', sql: (ids) => set('flag = not flag', ids) },
];

/** What is the same by value, written otherwise. */
export const HARMLESS = (ids: string): string[] => [
  set('amount = amount::text::numeric * 1.0', ids),
  set(`details = (details::text || ' ')::jsonb`, ids),
];

function set(what: string, ids: string): string {
  return `update public.things set ${what} where ${ids}`;
}

/** `count` things with every value that is easily lost: '' and NULL, 0, microseconds, digits, keys of json in many orders. */
export async function seedThings(source: TestDatabase, count: number): Promise<void> {
  await source.query(`
    create table public.things (
      id bigint primary key, at timestamptz not null, amount numeric not null, label text, ratio float8 not null, details jsonb not null, flag boolean not null);
    insert into public.things
      select n, timestamptz '2026-01-01 00:00:00.123456Z' + n * interval '1 millisecond', n + 0.123456, '', 0,
        case when n % 2 = 0 then jsonb_build_object('a', n, 'b', array[1, n]) else jsonb_build_object('b', array[1, n], 'a', n) end, n % 2 = 0
      from generate_series(1, ${count}) as n;
    create index on public.things (at, id);
    analyze public.things`);
}

/** Plants `each` differences of every kind, on ids that nothing else touches: multiples of `step`, further apart with every kind. Returns their ids by kind. */
export async function plantAll(target: TestDatabase, each: number, step: number): Promise<Map<Plant, number[]>> {
  const planted = new Map<Plant, number[]>();
  for (const [index, plant] of PLANTS.entries()) {
    const ids = Array.from({ length: each }, (_, n) => n * step + index + 1);
    await target.query(plant.sql(idsSql(ids)));
    planted.set(plant, ids);
  }
  return planted;
}

export function idsSql(ids: readonly number[]): string {
  return `id = any('{${ids.join(',')}}')`;
}

/** Notes every row that is written from now on: who looks at it later sees that no other row was touched. */
export async function watchWrites(target: TestDatabase, table: string): Promise<void> {
  await target.query(`
    create table public.written (id bigint not null, op text not null);
    create function public.note_write() returns trigger language plpgsql as $$
      begin insert into public.written values (coalesce(new.id, old.id), tg_op); return coalesce(new, old); end $$;
    create trigger note_write before insert or update or delete on ${table} for each row execute function public.note_write()`);
}

export async function writtenIds(target: TestDatabase): Promise<number[]> {
  const rows = await target.query<{ id: string }>('select distinct id from public.written order by id');
  return rows.map(({ id }) => Number(id));
}
