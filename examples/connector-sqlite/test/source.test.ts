import { copyFileSync, writeFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import type { Batch, Cursor, FetchRequest, Source, StreamRef } from 'trueup/sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createFile } from './folder.ts';
import type { TestFile } from './folder.ts';

const NEVER = new AbortController().signal;

function streamOf(name: string, change: Partial<StreamRef> = {}): StreamRef {
  return { name, changes: { by: 'log' }, key: ['id'], fields: null, except: [], maxRecordBytes: 1_000_000, ...change };
}

async function opened(schema: string): Promise<TestFile & { apply(stream: StreamRef): Promise<void> }> {
  const file = createFile();
  onTestFinished(() => file.close());
  file.database.exec(schema);
  return {
    ...file,
    apply: (stream) => withSource(file, async (source) => source.apply?.(await source.plan([stream], NEVER), NEVER)),
  };
}

async function withSource<Result>(file: TestFile, work: (source: Source) => Promise<Result>): Promise<Result> {
  const source = file.source();
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

function asked(source: Source, stream: StreamRef, change: Partial<FetchRequest> = {}): FetchRequest {
  const [feed] = source.feeds([stream]);
  if (feed === undefined) throw new Error('no feed');
  return {
    feed,
    streams: [stream],
    after: null,
    forms: new Map(),
    batchRows: 100,
    batchBytes: 1_000_000,
    until: 'drain',
    signal: NEVER,
    ...change,
  };
}

function drain(file: TestFile, stream: StreamRef, after: Cursor | null = null): Promise<Batch[]> {
  return withSource(file, (source) => Array.fromAsync(source.fetchChanges(asked(source, stream, { after }))));
}

function problems(file: TestFile, stream: StreamRef): Promise<(readonly [string, string])[]> {
  return withSource(file, async (source) =>
    (await source.plan([stream], NEVER)).streams.flatMap((one) => one.problems.map(({ code, message }) => [code, message] as const)),
  );
}

const rowsOf = (batches: readonly Batch[]): unknown[] => batches.flatMap(({ records }) => [...records.rows()]);

describe('the sqlite source', () => {
  it('delivers what a column is declared to hold, and rejects what it holds beside that', async () => {
    const file = await opened('create table things (id integer primary key, price decimal(10,2), seen boolean, at datetime, any)');
    const stream = streamOf('things');
    await file.apply(stream);
    file.database.exec(
      `insert into things values (1, 1.5, 1, '2026-11-24 10:00:00', 'x'), (2, 9007199254740993, 0, null, null), (3, 'many', 1, null, null), (4, 1, 7, null, null)`,
    );
    const batches = await drain(file, stream);
    expect(rowsOf(batches)).toEqual([
      [1n, '1.5', true, '2026-11-24 10:00:00', 'x'],
      [2n, '9007199254740993', false, null, null],
    ]);
    expect(batches.flatMap(({ rejected }) => rejected ?? [])).toEqual([
      {
        key: [3n],
        position: '3',
        code: 'E_RECORD_UNREADABLE',
        message: "Column 'price' (decimal(10,2)) holds a text that cannot be read as such.",
      },
      {
        key: [4n],
        position: '4',
        code: 'E_RECORD_UNREADABLE',
        message: "Column 'seen' (boolean) holds an integer that cannot be read as such.",
      },
    ]);
  });

  it('sees keys that change, rows that are replaced, and a table that is emptied', async () => {
    const file = await opened('create table things (a text not null, b integer not null, label text, primary key (a, b)) without rowid');
    const stream = streamOf('things', { key: ['a', 'b'] });
    await file.apply(stream);
    file.database.exec(`insert into things values ('x', 1, 'one'), ('x', 2, 'two'), ('x', 3, 'three')`);
    const [first] = await drain(file, stream);
    file.database.exec(`update things set b = 20 where b = 2; insert or replace into things values ('x', 1, 'again')`);
    const second = await drain(file, stream, first?.cursor);
    expect(rowsOf(second)).toEqual([
      ['x', 2n, undefined],
      ['x', 20n, 'two'],
      ['x', 1n, 'again'],
    ]);
    file.database.exec('delete from things');
    expect(rowsOf(await drain(file, stream, second.at(-1)?.cursor)).length).toBe(3);
  });

  it('meets a record that is written without pause', async () => {
    const file = await opened('create table things (id integer primary key, label text)');
    const stream = streamOf('things');
    await file.apply(stream);
    file.database.exec(
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < 500) insert into things select i, 'x' from n`,
    );
    const seen = await withSource(file, async (source) => {
      const ids: unknown[] = [];
      for await (const { records } of source.fetchChanges(asked(source, stream, { batchRows: 10 }))) {
        file.database.exec(`update things set label = label || 'x' where id in (1, 499)`);
        ids.push(...records.rows().map(([id]) => id));
        await turn();
      }
      return ids;
    });
    expect(seen.length).toBe(500);
    expect(seen).toContain(499n);
  });

  it('wants its triggers back when they are gone, and then delivers everything once more', async () => {
    const file = await opened('create table things (id integer primary key, label text)');
    const stream = streamOf('things');
    await file.apply(stream);
    file.database.exec(`insert into things values (1, 'a'), (2, 'b')`);
    const [before] = await drain(file, stream);
    file.database.exec(`drop trigger trueup_changes_things_delete; delete from things where id = 1`);
    await expect(drain(file, stream, before?.cursor)).rejects.toMatchObject({ code: 'E_PLAN_CHANGED' });
    await file.apply(stream);
    expect(rowsOf(await drain(file, stream, before?.cursor))).toEqual([
      [1n, undefined],
      [2n, 'b'],
    ]);
  });

  it('says that its position is lost when an older file was restored, or the change table was made again', async () => {
    const file = await opened('create table things (id integer primary key, label text)');
    const stream = streamOf('things');
    await file.apply(stream);
    file.database.exec(`insert into things values (1, 'a')`);
    copyFileSync(file.path, `${file.path}.old`);
    file.database.exec(`insert into things values (2, 'b')`);
    const cursor = (await drain(file, stream)).at(-1)?.cursor;
    copyFileSync(`${file.path}.old`, file.path);
    await expect(drain(file, stream, cursor)).rejects.toMatchObject({ code: 'E_POSITION_LOST' });
    for (const event of ['insert', 'update', 'delete']) file.database.exec(`drop trigger trueup_changes_things_${event}`);
    file.database.exec('drop table trueup_changes_things');
    await file.apply(stream);
    file.database.exec(`insert into things values (3, 'c'), (4, 'd')`);
    await expect(drain(file, stream, cursor)).rejects.toMatchObject({ code: 'E_POSITION_LOST' });
  });

  it('takes up what changed since a time', async () => {
    const file = await opened('create table things (id integer primary key, label text)');
    const stream = streamOf('things');
    await file.apply(stream);
    file.database.exec(
      `insert into things values (1, 'a'), (2, 'b'), (3, 'c'); update trueup_changes_things set at = 1000 where k0 = 1; delete from things where id = 3`,
    );
    const since = await withSource(file, (source) => Array.fromAsync(source.changedSince?.(stream, 2_000, NEVER) ?? []));
    expect(rowsOf(since)).toEqual([[2n, 'b']]);
  });

  it('says in the plan what cannot be', async () => {
    const file = await opened(`create table loose (id text primary key, label text); insert into loose values (null, 'x');
      create table folded (id text primary key collate nocase); create table keyless (label text); create view seen as select * from loose`);
    expect(await problems(file, streamOf('loose'))).toMatchObject([
      ['E_STREAM_KEY', expect.stringMatching(/have NULL in their key \(id\)/) as unknown],
    ]);
    expect(await problems(file, streamOf('folded'))).toMatchObject([
      ['E_CHANGES_UNSUPPORTED', expect.stringMatching(/no key of its own/) as unknown],
    ]);
    expect(await problems(file, streamOf('keyless', { key: [] }))).toMatchObject([
      ['E_STREAM_KEY', expect.stringMatching(/no primary key/) as unknown],
    ]);
    expect(await problems(file, streamOf('seen'))).toMatchObject([
      ['E_CHANGES_UNSUPPORTED', expect.stringMatching(/Methods: snapshot/) as unknown],
    ]);
    expect(await problems(file, streamOf('seen', { changes: { by: 'snapshot' } }))).toEqual([]);
    expect(await problems(file, streamOf('loose', { changes: { by: 'cursor', field: 'label' } }))).toMatchObject([
      ['E_CHANGES_UNSUPPORTED', expect.stringMatching(/Methods: log, snapshot/) as unknown],
    ]);
  });

  it('names a file that is missing, and one that is no database', async () => {
    const file = createFile();
    await file.close();
    await expect(withSource(file, (source) => source.discover(NEVER))).rejects.toMatchObject({
      code: 'E_ACCESS',
      message: expect.stringContaining('There is no SQLite file') as unknown,
    });
    const other = createFile();
    onTestFinished(() => other.close());
    writeFileSync(other.path, 'no database at all, but a text that is long enough to be read as one '.repeat(20));
    await expect(withSource(other, (source) => source.discover(NEVER))).rejects.toMatchObject({
      code: 'E_ACCESS',
      message: expect.stringContaining('is no SQLite database') as unknown,
    });
  });
});
