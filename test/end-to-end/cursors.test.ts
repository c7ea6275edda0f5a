import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { expectEqualTables, openScenario, ranOf, seedOrders, tableHash } from './scenario.ts';

/** A stream of the job, how its source is made, and what a transaction writes there. */
interface Subject {
  readonly stream: string;
  /** Below `from`, as YAML flow members. */
  readonly options?: string;
  readonly target?: string;
  /** Where the rows are, when the stream is not a table. */
  readonly content?: string;
  readonly create: string;
  /** Written by a transaction that commits late. `n` tells the transactions apart. */
  readonly write: (n: number) => string;
}

const BY = 'changes: { by: cursor, field: at }';
const AT = 'at timestamptz default clock_timestamp()';

const SUBJECTS: readonly Subject[] = [
  {
    stream: 'public.stamps', // NULL, infinite and future stamps, and a microsecond between two rows
    options: BY,
    create: `create table public.stamps (id int primary key, v int not null default 0, ${AT});
      insert into public.stamps values (1, 0, null), (2, 0, 'infinity'), (3, 0, '-infinity'), (4, 0, now() + interval '10 years'), (5, 0, now() + interval '1 hour'),
        (6, 0, '2026-01-01 00:00:00.000001Z'), (7, 0, '2026-01-01 00:00:00.000002Z'), (8, 0, '2026-01-01 00:00:00.000002Z'), (9, 0, '0044-03-15 00:00:00Z BC');
      insert into public.stamps select n, 0, '2026-02-01Z' from generate_series(10, 40) as n`,
    write: (
      n,
    ) => `insert into public.stamps values (100 + ${n}); insert into public.stamps values (200 + ${n}, 0, null), (300 + ${n}, 0, 'infinity');
      update public.stamps set v = ${n}, at = now() where id in (4, 7); update public.stamps set v = ${n} where id in (1, 2, 3)`,
  },
  {
    stream: 'public.civil',
    options: BY,
    create: `create table public.civil (id int primary key, v int not null default 0, at timestamp not null default localtimestamp); create index on public.civil (at, id);
      insert into public.civil select n, 0, timestamp '2026-03-08 02:30' + n * interval '1 microsecond' from generate_series(1, 30) as n`,
    write: (n) => `insert into public.civil values (100 + ${n}); update public.civil set v = ${n}, at = localtimestamp where id = 3`,
  },
  {
    stream: 'public.days',
    options: BY,
    create: `create table public.days (id int primary key, v int not null default 0, at date default current_date); insert into public.days select n, 0, date '2026-01-01' + n / 7 from generate_series(1, 30) as n; insert into public.days values (31, 0, 'infinity'), (32, 0, null)`,
    write: (n) => `insert into public.days values (100 + ${n}); update public.days set v = ${n}, at = current_date where id = 3`,
  },
  {
    stream: 'public.versions', // a counter as cursor, with fractions
    options: BY,
    create: `create sequence public.versions_at; create table public.versions (id int primary key, v int not null default 0, at numeric not null default nextval('public.versions_at') + 0.5);
      insert into public.versions (id) select generate_series(1, 30)`,
    write: (n) =>
      `insert into public.versions (id) values (100 + ${n}); update public.versions set v = ${n}, at = nextval('public.versions_at') + 0.25 where id = 3`,
  },
  {
    stream: 'public.lines', // a key of text and numbers whose order is that of a language
    options: BY,
    create: `create table public.lines (sku text collate "de-x-icu", part numeric, no int, v int not null default 0, ${AT} not null, primary key (sku, part, no));
      insert into public.lines (sku, part, no, at) select s, p, n, '2026-01-01Z' from unnest(array['a', 'A', 'ä', 'Z', 'z', 'ß', 'ss', '', E'tab\\t', 'o''k', '\\N', '😀', '_', '-a']) as s, unnest('{1.0,NaN,-2.50}'::numeric[]) as p, generate_series(1, 2) as n`,
    write: (n) =>
      `insert into public.lines values ('ä', 10 + ${n}, 1); update public.lines set v = ${n}, at = now() where no = 2 and sku in ('Z', 'ß', '')`,
  },
  {
    stream: 'public.names', // a key whose order takes no notice of letter case
    options: BY,
    create: `create collation public.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table public.names (name text collate public.nocase primary key, v int not null default 0, ${AT} not null);
      insert into public.names (name, at) select n, '2026-01-01Z' from unnest(array['Anna', 'BERT', 'carl', 'Ärger', 'arger', 'É', 'z', 'Zebra']) as n`,
    write: (n) =>
      `insert into public.names values ('late ${n}'); update public.names set v = ${n}, at = now() where name in ('ANNA', 'zebra')`,
  },
  {
    stream: 'public.ids',
    options: BY,
    create: `create table public.ids (id uuid primary key default gen_random_uuid(), v int not null default 0, ${AT} not null); insert into public.ids (at) select '2026-01-01Z' from generate_series(1, 40)`,
    write: (n) =>
      `insert into public.ids default values; update public.ids set v = ${n}, at = now() where id in (select id from public.ids order by 1 limit 5)`,
  },
  {
    stream: 'public.log',
    options: 'changes: { by: sequence, field: id }',
    create: `create table public.log (id bigserial primary key, line text); insert into public.log (line) select 'line ' || n from generate_series(1, 40) as n`,
    write: (n) => `insert into public.log (line) values ('late ${n}')`,
  },
  {
    stream: 'public.plain',
    options: 'changes: { by: xmin }',
    create: `create table public.plain (a int, b text, v int default 0, primary key (b, a)); insert into public.plain select n, 'b' || n % 5, 0 from generate_series(1, 40) as n`,
    write: (n) =>
      `insert into public.plain values (${n}, 'late'); update public.plain set v = ${n} where a % 9 = 0; savepoint s; update public.plain set v = ${n} where a % 7 = 0; release s`,
  },
  {
    stream: 'public.seen', // a view
    options: `${BY}, key: [id], lookback: 1h`,
    create: `create table public.under (id int primary key, v int not null default 0, ${AT} not null); insert into public.under (id, at) select n, '2026-01-01Z' from generate_series(1, 30) as n; create view public.seen as select id, v + 1 as v, at from public.under where id <> 13`,
    write: (n) => `insert into public.under values (100 + ${n}); update public.under set v = ${n}, at = now() where id in (3, 13)`,
  },
  {
    stream: 'asked', // a query
    options: `query: "select u.id, u.v * 2 as doubled, u.at from public.under as u where u.v >= 0", key: [id], ${BY}`,
    target: 'public.asked',
    content: '(select u.id, u.v * 2 as doubled, u.at from public.under as u)',
    create: '',
    write: () => '',
  },
  {
    stream: 'public.parted',
    options: BY,
    create: `create table public.parted (region text, id int, v int not null default 0, ${AT} not null, primary key (region, id)) partition by list (region);
      create table public.parted_eu partition of public.parted for values in ('eu'); create table public.parted_us partition of public.parted for values in ('us') partition by range (id);
      create table public.parted_us_low partition of public.parted_us for values from (0) to (20); create table public.parted_us_high partition of public.parted_us default;
      insert into public.parted (region, id, at) select r, n, '2026-01-01Z' from unnest('{eu,us}'::text[]) as r, generate_series(1, 30) as n`,
    write: (n) => `insert into public.parted values ('us', 100 + ${n}); update public.parted set v = ${n}, at = now() where id = 25`,
  },
  {
    stream: 'select.order', // names that mean something else
    options: 'changes: { by: cursor, field: group }, key: [user, from]',
    target: '"select"."order"',
    create: `create schema "select"; create table "select"."order" ("user" int, "from" text, "group" timestamptz not null default clock_timestamp(), "where" int, primary key ("user", "from"));
      insert into "select"."order" select n, 'x' || n, '2026-01-01Z', 0 from generate_series(1, 30) as n`,
    write: (n) =>
      `insert into "select"."order" ("user", "from") values (100 + ${n}, 'late'); update "select"."order" set "where" = ${n}, "group" = now() where "user" = 3`,
  },
  {
    stream: String.raw`Größe "x".a\.b; --`, // names that no one should give
    options: String.raw`changes: { by: cursor, field: "it's at" }`,
    target: '"Größe ""x"""."a.b; --"',
    create: `create schema "Größe ""x"""; create table "Größe ""x"""."a.b; --" ("Schlüssel.1" int primary key, "it's at" timestamptz not null default clock_timestamp(), "a ""b""" int, "$1" text default '$1', "col:x" text, "日本" text default '語');
      insert into "Größe ""x"""."a.b; --" ("Schlüssel.1", "it's at") select n, '2026-01-01Z' from generate_series(1, 30) as n`,
    write: (n) =>
      `insert into "Größe ""x"""."a.b; --" values (100 + ${n}); update "Größe ""x"""."a.b; --" set "a ""b""" = ${n}, "it's at" = now() where "Schlüssel.1" = 3`,
  },
];

function jobOf(subjects: readonly Subject[]): string {
  const line = ({ stream, options, target }: Subject): string =>
    options?.startsWith('query') === true
      ? `      - { ${options}, to: ${target} }`
      : `      - { from: ${JSON.stringify(stream)}, ${options} }`;
  return `\n  all:\n    source: shop\n    target: copy\n    streams:\n${subjects.map(line).join('\n')}\n`;
}

/** Rows as sorted texts: collations and column order of the two databases must not matter to the comparison. */
async function rowsOf(database: TestDatabase, table: string): Promise<string[]> {
  return (await database.query<{ row: string }>(`select to_jsonb(t)::text as row from ${table} as t`)).map(({ row }) => row).toSorted();
}

async function expectAllEqual(source: TestDatabase, target: TestDatabase): Promise<void> {
  for (const { stream, content, target: table } of SUBJECTS) {
    const there = table ?? stream;
    expect({ stream, rows: await rowsOf(target, there) }).toEqual({ stream, rows: await rowsOf(source, content ?? there) });
  }
}

describeWithPostgres('every kind of cursor, key and name, in small batches', () => {
  it(
    'delivers each row, those of transactions that were open during the run in the next one, and then nothing more',
    { timeout: 180_000 },
    async () => {
      const scenario = await openScenario();
      for (const { create } of SUBJECTS) await scenario.source.query(create);
      await scenario.jobs(jobOf(SUBJECTS), 'defaults: { batch: { rows: 4 } }\n');
      const writer = await scenario.source.connect();
      const write = async (n: number): Promise<void> => {
        await writer.query('begin');
        for (const subject of SUBJECTS) await writer.query(subject.write(n));
      };
      // What commits after it begins before and ends first: the late rows lie below what the run has read.
      const overtake = async (n: number): Promise<void> => {
        for (const subject of SUBJECTS.filter(({ create }) => !create.includes('parted')))
          await scenario.source.query(subject.write(n).replaceAll(/(?:update|savepoint|release) .*?(?:;|$)/gs, ''));
      };

      await write(1);
      await overtake(11);
      const first = await scenario.run();
      expect(first.code).toBe(0);
      await expectAllEqual(scenario.source, scenario.target);
      await writer.query('commit');

      await write(2);
      await overtake(12);
      const second = await scenario.run();
      expect(second.code).toBe(0);
      for (const stream of second.report.jobs[0]?.streams ?? [])
        expect(stream).toMatchObject({ status: 'succeeded', deadLettered: 0, caughtUp: true });
      await expectAllEqual(scenario.source, scenario.target);
      await writer.query(`prepare transaction '${scenario.source.name}'`);
      expect((await scenario.run()).code).toBe(0);
      await writer.query(`commit prepared '${scenario.source.name}'`);

      const third = await scenario.run();
      expect(third.code).toBe(0);
      await expectAllEqual(scenario.source, scenario.target);
      const last = await scenario.run();
      for (const stream of last.report.jobs[0]?.streams ?? []) expect(stream).toMatchObject({ upserted: 0, deleted: 0, deadLettered: 0 });
      const written = (ran: typeof last): number => (ran.report.jobs[0]?.streams ?? []).reduce((sum, { upserted }) => sum + upserted, 0);
      expect(written(third)).toBeGreaterThan(SUBJECTS.length);
    },
  );

  it('50,000 equal cursors: a stop in their middle, a kill in their middle, and no row is missed', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 50_000);
    await scenario.jobs(
      `\n  orders:\n    source: shop\n    target: copy\n    streams: [{ from: public.orders, changes: { by: cursor, field: updated_at } }]\n`,
      'defaults: { batch: { rows: 250 } }\n',
    );
    await scenario.target.query('select 1');
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(`update public.orders set status = 'tied', updated_at = now()`);
    const tied = async (): Promise<number> =>
      Number((await scenario.target.query<{ n: string }>(`select count(*) as n from public.orders where status = 'tied'`))[0]?.n);

    const stopped = scenario.start(['run', '--json']);
    await expect.poll(tied, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
    stopped.kill('SIGTERM');
    const report = ranOf(await stopped.waitForExit());
    const afterStop = await tied();
    if (report.code === 143) expect(report.stream('public.orders').upserted).toBe(afterStop);
    const killed = scenario.start(['run', '--json']);
    await expect.poll(tied, { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(Math.min(50_000, afterStop + 1));
    killed.kill('SIGKILL');
    await killed.waitForExit();

    const last = await scenario.run();
    expect(last.code).toBe(0);
    expect(await tied()).toBe(50_000);
    await expectEqualTables(scenario, 'public.orders');
    expect(last.stream('public.orders').unchanged).toBe(0);
    expect(await tableHash(scenario.target, 'public.orders')).toMatch(/^50000 /);
  });
});
