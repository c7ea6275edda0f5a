import { expect, it } from 'vitest';
import type { Cursor, StreamRef } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { NEVER, cellKey, drainOnce, fetchRequest, openSource, rowsOf, streamRef } from './source-kit.ts';

/** Reads in processes of `batches` batches each, as if each were killed after them. Returns how often every key came. */
async function inPieces(
  url: string,
  ref: StreamRef,
  { batches, batchRows }: { batches: number; batchRows: number },
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  let cursor: Cursor | null = null;
  for (let ended = false; !ended;) {
    const source = openSource(url);
    let count = 0;
    ended = true;
    for await (const batch of source.fetchChanges(fetchRequest(source, ref, { after: cursor, batchRows }))) {
      for (const row of rowsOf([batch])) {
        const key = ref.key.map((name) => cellKey(row[name])).join('|');
        times.set(key, (times.get(key) ?? 0) + 1);
      }
      if (batch.cursor !== null) cursor = JSON.parse(JSON.stringify(batch.cursor)) as Cursor;
      if (batch.stream === null || ++count < batches) continue;
      ended = false;
      break;
    }
    await source.close();
  }
  return times;
}

const onceEach = (times: ReadonlyMap<string, number>) => [...times.values()].every((count) => count === 1);

describeWithPostgres('connectors: postgres, cursors that are not as one would wish', () => {
  it('reads 50,000 rows with one and the same cursor in pieces, each once', async () => {
    const database = await createDatabase('ties');
    await database.query(
      `create table t as select id, now() as updated_at from generate_series(1, 50000) id; alter table t add primary key (id); create index on t (updated_at, id)`,
    );
    const times = await inPieces(database.url, streamRef('public.t'), { batches: 3, batchRows: 3_999 });
    expect(times.size).toBe(50_000);
    expect(onceEach(times)).toBe(true);
  });

  it('keeps microseconds apart', async () => {
    const database = await createDatabase('micros');
    await database.query(`create table t (id int primary key, updated_at timestamptz not null)`);
    await database.query(
      `insert into t select id, '2026-03-08 02:30:00.123456Z'::timestamptz + id * interval '1 microsecond' from generate_series(1, 40) id`,
    );
    const times = await inPieces(database.url, streamRef('public.t'), { batches: 1, batchRows: 1 });
    expect([times.size, onceEach(times)]).toEqual([40, true]);
  });

  it('delivers rows whose cursor is NULL, infinite, far in the past or in the future, and each again when it is written again', async () => {
    const database = await createDatabase('odd');
    await database.query(
      `create table t (id int primary key, v int default 0, updated_at timestamptz); create index on t (updated_at, id)`,
    );
    await database.query(
      `insert into t (id, updated_at) values (1, null), (2, 'infinity'), (3, '-infinity'), (4, '2099-01-01'), (5, now()), (6, '0044-03-15 BC')`,
    );
    const first = await drainOnce(database.url, streamRef('public.t'));
    expect(idsOf(first.rows)).toEqual([1, 2, 3, 4, 5, 6]);
    let cursor = first.cursor;
    for (const id of [1, 2, 3, 4, 5]) {
      await database.query(`update t set v = v + 1, updated_at = case when id = 5 then now() else updated_at end where id = $1`, [id]);
      const next = await drainOnce(database.url, streamRef('public.t'), { after: cursor });
      expect(idsOf(next.rows), `after an update of ${id}`).toContain(id);
      cursor = next.cursor;
    }
    await database.query(`insert into t (id, updated_at) values (10, now())`);
    expect(
      idsOf((await drainOnce(database.url, streamRef('public.t'), { after: cursor })).rows),
      'a row of now, though the newest lies in 2099',
    ).toContain(10);
  });

  it('delivers nothing again because of a transaction of another database', async () => {
    const [database, other] = [await createDatabase('mine'), await createDatabase('theirs')];
    await database.query(`create table t (id int primary key, updated_at timestamptz not null default now())`);
    await other.query('create table t (id int); begin; insert into t values (1)');
    await database.query('insert into t values (1)');
    const first = await drainOnce(database.url, streamRef('public.t'));
    expect([idsOf(first.rows), (await drainOnce(database.url, streamRef('public.t'), { after: first.cursor })).rows]).toEqual([[1], []]);
    await other.query('commit');
  });

  it('finds rows stamped earlier than they are written within the lookback, and only those that are new', async () => {
    const database = await createDatabase('backdated');
    await database.query(
      `create table t (id int primary key, updated_at timestamptz not null); insert into t select id, now() - id * interval '1 minute' from generate_series(1, 60) id`,
    );
    const ref = streamRef('public.t', { lookbackMs: 30 * 60_000 });
    const first = await drainOnce(database.url, ref);
    const second = await drainOnce(database.url, ref, { after: first.cursor });
    await database.query(`insert into t values (100, now() - interval '20 minutes')`);
    expect(idsOf((await drainOnce(database.url, ref, { after: second.cursor })).rows)).toEqual([100]);
  });

  const keys: readonly [string, string, readonly string[]][] = [
    [
      'composite',
      `create table t (a text, b int, c uuid, updated_at timestamptz not null, primary key (a, b, c)); insert into t select chr(65 + i % 5), i % 7, gen_random_uuid(), now() from generate_series(1, 500) i`,
      ['a', 'b', 'c'],
    ],
    [
      'uuid',
      `create table t (id uuid primary key, updated_at timestamptz not null); insert into t select gen_random_uuid(), now() from generate_series(1, 500) i`,
      ['id'],
    ],
    [
      'text of an ICU collation',
      `create table t (id text collate "de-x-icu" primary key, updated_at timestamptz not null); insert into t select (array['ä','Z','a','ß','é','_','A','z','Ö','1'])[1 + i % 10] || i, now() from generate_series(1, 500) i`,
      ['id'],
    ],
    [
      'text of a collation that takes case for equal',
      `create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); create table t (id text collate ci primary key, updated_at timestamptz not null);
       insert into t select (array['Ab','cD','ß'])[1 + i % 3] || i, now() from generate_series(1, 500) i`,
      ['id'],
    ],
    [
      'a type of an extension, outside of the search path',
      `create schema ext; create extension citext schema ext; create table t (id ext.citext primary key, updated_at timestamptz not null);
       insert into t select (case when i % 2 = 0 then 'x' else 'X' end) || chr(65 + i % 26) || i, now() from generate_series(1, 500) i`,
      ['id'],
    ],
    [
      'char(n), padded',
      `create table t (id char(8) primary key, updated_at timestamptz not null); insert into t select 'k' || i, now() from generate_series(1, 500) i`,
      ['id'],
    ],
    [
      'an enum and numeric',
      `create type mood as enum ('sad', 'ok', 'glad'); create table t (m mood, n numeric(12,4), updated_at timestamptz not null, primary key (m, n)); insert into t select (enum_range(null::mood))[1 + i % 3], i / 3.0, now() from generate_series(1, 500) i`,
      ['m', 'n'],
    ],
    [
      'a domain over bytea and a bit string',
      `create domain digest as bytea; create table t (d digest, b bit(10), updated_at timestamptz not null, primary key (d, b)); insert into t select decode(md5(i::text), 'hex'), i::bit(10), now() from generate_series(1, 500) i`,
      ['d', 'b'],
    ],
    [
      'texts that SQL and COPY escape',
      `create table t (id text primary key, updated_at timestamptz not null); insert into t select (array['\\', '''', E'\\t', E'\\n', '"', '\\N', '\\.', '$1', '--', ''])[1 + i % 10] || i, now() from generate_series(1, 500) i`,
      ['id'],
    ],
  ];
  for (const [name, setup, key] of keys) {
    it(`reads and splits by a key that is ${name}, each row once`, async () => {
      const database = await createDatabase('keys');
      await database.query(setup);
      const ref = streamRef('public.t', { key });
      const times = await inPieces(database.url, ref, { batches: 2, batchRows: 37 });
      expect([times.size, onceEach(times)]).toEqual([500, true]);
      expect(await splitAndRead(database, ref)).toEqual({ rows: 500, keys: 500, feeds: 4 });
      const some = [...(await drainOnce(database.url, ref)).rows].slice(100, 110);
      const source = openSource(database.url);
      const found = rowsOf(
        await Array.fromAsync(
          source.fetchBy?.(
            ref,
            key,
            some.map((row) => key.map((field) => row[field])),
            NEVER,
          ) ?? [],
        ),
      );
      await source.close();
      expect(new Set(found.map((row) => JSON.stringify(key.map((field) => cellKey(row[field])))))).toEqual(
        new Set(some.map((row) => JSON.stringify(key.map((field) => cellKey(row[field]))))),
      );
    });
  }
});

function idsOf(rows: readonly Record<string, unknown>[]): number[] {
  return rows.map((row) => Number(row['id'])).sort((a, b) => a - b);
}

async function splitAndRead(database: TestDatabase, ref: StreamRef): Promise<{ rows: number; keys: number; feeds: number }> {
  const source = openSource(database.url);
  const feeds = (await source.splitBackfill?.(ref, 4, NEVER)) ?? [];
  const seen: string[] = [];
  for (const feed of feeds) {
    for await (const batch of source.fetchChanges({ ...fetchRequest(source, ref, { batchRows: 50 }), feed }))
      for (const row of rowsOf([batch])) seen.push(JSON.stringify(ref.key.map((field) => cellKey(row[field]))));
  }
  await source.close();
  return { rows: seen.length, keys: new Set(seen).size, feeds: feeds.length };
}
