import { expect, it } from 'vitest';
import { BINARY_FORM } from '../../../connectors/postgres/copy/binary.ts';
import { TEXT_FORM } from '../../../connectors/postgres/copy/text.ts';
import { OP } from '../../../src/sdk.ts';
import type { Batch, Cell, Cursor, FetchRequest, Form, Row, StreamRef } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { beginLog } from './log-kit.ts';
import { fetchRequest, openSource, streamRef } from './source-kit.ts';

const BIG = `repeat('0123456789', 1000)`;
const REF: StreamRef = streamRef('public.t', { changes: { by: 'log' }, job: 'wire', key: ['id'] });

async function readLog(url: string, after: Cursor, form: Form, more: Partial<FetchRequest> = {}): Promise<Batch[]> {
  const source = openSource(url);
  try {
    const batches: Batch[] = [];
    for await (const batch of source.fetchChanges({ ...fetchRequest(source, REF), after, forms: new Map([[REF.name, form]]), ...more })) {
      // Somebody who looks at the rows makes them cells; what lies in the slabs may be used again.
      batch.records.rows();
      batches.push(batch);
    }
    return batches;
  } finally {
    await source.close();
  }
}

/** What the batches leave of a table, by the text of the key; `null`: to be looked up. */
function replay(batches: readonly Batch[]): Map<Cell, Row | null> {
  const rows = new Map<Cell, Row | null>();
  for (const { records, ops } of batches)
    records.rows().forEach((row, index) => {
      const op = ops?.[index] ?? OP.upsert;
      const [key] = row;
      const before = rows.get(key) ?? null;
      if (op === OP.truncate) rows.clear();
      else if (op === OP.delete) rows.delete(key);
      else if (op === OP.touch || (op === OP.patch && before === null)) rows.set(key, null);
      else if (op === OP.patch) rows.set(key, patched(before ?? [], row));
      else rows.set(key, row);
    });
  return rows;
}

function patched(before: Row, patch: Row): Row {
  return patch.map((cell, field) => (cell === undefined ? before[field] : cell));
}

function changesIn(batches: readonly Batch[]): number {
  return batches.reduce((sum, { records, coalesced = 0 }) => sum + records.count + coalesced, 0);
}

/** Rows that are to be looked up are only expected to be there. */
async function expectTable(database: TestDatabase, replayed: ReadonlyMap<Cell, Row | null>): Promise<void> {
  const rows = await database.query<{ key: string; cells: string[] }>(
    `select id::text as key, array[id::text, n::text, at::text, label, big] as cells from t`,
  );
  expect([...replayed.keys()].map(String).toSorted()).toEqual(rows.map(({ key }) => key).toSorted());
  for (const { key, cells } of rows) {
    const row = replayed.get(key);
    if (row !== null) expect(row, `row ${key}`).toEqual(cells);
  }
}

/** Statements by chance: one seed, one history. */
function* statements(seed: number, count: number): Generator<string> {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const labels = [`'plain'`, 'null', `E'a\\tb\\nc\\\\d\\re'`, `'ünïcödé 😀'`, `''`, `'\\N'`];
  const label = () => labels[below(labels.length)];
  const big = (): string => (below(3) === 0 ? `repeat('0123456789', ${500 + below(500)})` : (label() ?? ''));
  for (let index = 0; index < count; index += 1) {
    const [id, kind] = [below(30), below(20)];
    if (kind < 8)
      yield `insert into t values (${id}, ${below(1000) / 8}, now(), ${label()}, ${big()}) on conflict (id) do update set n = excluded.n, label = excluded.label`;
    else if (kind < 13) yield `update t set n = n + 1, label = ${label()} where id = ${id}`;
    else if (kind < 16) yield `delete from t where id = ${id}`;
    else if (kind < 18) yield `update t set id = ${30 + below(30)} where id = ${id} and not exists (select from t where id >= 30)`;
    else if (kind < 19) yield `update t set big = ${big()} where id <= ${id}`;
    else if (below(6) === 0) yield 'truncate t';
    else yield `begin; update t set n = 0 where id < ${id}; delete from t where id > ${id + 20}; commit`;
  }
}

describeWithPostgres('connectors: postgres, rows of the log that stay bytes', () => {
  for (const identity of ['default', 'full'])
    it(`bytes and cells tell the same history, replica identity ${identity}`, { timeout: 60_000 }, async () => {
      const database = await createDatabase('log');
      await database.query(
        `create table t (id bigint primary key, n numeric(12,3), at timestamptz, label text, big text); alter table t alter column big set storage external; alter table t replica identity ${identity}`,
      );
      const start = await beginLog(database.url, [REF]);
      for (const statement of statements(4711, 400)) await database.query(statement);
      const cells = await readLog(database.url, start, 'cells');
      await expectTable(database, replay(cells));
      for (const form of [TEXT_FORM, BINARY_FORM] as const)
        for (const batchRows of [1000, 7]) {
          const bytes = await readLog(database.url, start, form, { batchRows });
          expect(bytes.some(({ records }) => records.form === form)).toBe(true);
          expect(changesIn(bytes), `${form}: every change is counted`).toBe(changesIn(cells));
          await expectTable(database, replay(bytes));
        }
    });

  it('the last row of each key is handed over, deletes before it, and what is still in a transaction stays behind', async () => {
    const database = await createDatabase('log');
    await database.query('create table t (id bigint primary key, n numeric, at timestamptz, label text, big text)');
    const start = await beginLog(database.url, [REF]);
    await database.query(`insert into t (id, n) select i, 0 from generate_series(1, 5) i; update t set n = 1; delete from t where id = 2`);
    const batches = await readLog(database.url, start, BINARY_FORM);
    expect(
      batches.filter(({ stream }) => stream !== null).map(({ records, ops, coalesced }) => [records.form, records.count, ops, coalesced]),
    ).toEqual([
      ['cells', 1, Uint8Array.of(OP.delete), undefined],
      [BINARY_FORM, 4, null, 6],
    ]);
    await database.query(
      `begin; insert into t (id, n) select i, 0 from generate_series(10, 19) i; commit; begin; update t set n = 7 where id >= 15; commit`,
    );
    const few = await readLog(database.url, start, BINARY_FORM, { batchRows: 13 });
    for (const { records } of few) expect(records.count).toBeLessThanOrEqual(13);
    await expectTable(database, replay(few));
  });

  it('a patch changes the row that comes with it, and one of a row that was written before stays a patch', async () => {
    const database = await createDatabase('log');
    await database.query('create table t (id bigint primary key, n numeric, at timestamptz, label text, big text)');
    await database.query(`alter table t alter column big set storage external; insert into t (id, big) values (1, ${BIG})`);
    const start = await beginLog(database.url, [REF]);
    await database.query(`insert into t (id, big) values (2, ${BIG}); update t set n = 1; update t set label = 'x'`);
    const [changes] = await readLog(database.url, start, BINARY_FORM);
    const big = '0123456789'.repeat(1000);
    expect(changes?.records.rows()).toEqual([
      ['1', '1', null, 'x', undefined],
      ['2', '1', null, 'x', big],
    ]);
    expect(changes).toMatchObject({ ops: Uint8Array.of(OP.patch, OP.upsert), coalesced: 3 });
  });

  it('rows that were inserted are apart, and expected to be new where nothing of their key came before', async () => {
    const database = await createDatabase('log');
    await database.query(
      'create table t (id bigint primary key, n numeric, at timestamptz, label text, big text); insert into t (id) values (1), (2)',
    );
    let after = await beginLog(database.url, [REF]);
    const next = async () => {
      const batches = (await readLog(database.url, after, BINARY_FORM)).filter(({ stream }) => stream !== null);
      after = batches.at(-1)?.cursor as Exclude<Cursor, null>;
      return batches.map(({ records, fresh }) => [records.rows().map(([key]) => key), fresh]);
    };
    await database.query('update t set n = 1 where id = 1; insert into t (id) values (3), (4); update t set n = 2 where id = 4');
    expect(await next()).toEqual([
      [['1', '4'], undefined],
      [['3'], true],
    ]);
    await database.query('begin; delete from t where id = 2; insert into t (id) values (2), (5); commit');
    expect(await next()).toEqual([[['2', '5'], undefined]]);
  });

  it('a truncate that stands alone in its transaction is not lost where a batch ends before it', async () => {
    const database = await createDatabase('log');
    await database.query('create table t (id bigint primary key, n numeric, at timestamptz, label text, big text)');
    const start = await beginLog(database.url, [REF]);
    await database.query('insert into t (id) select generate_series(1, 3)');
    await database.query('truncate t');
    for (const form of ['cells', TEXT_FORM, BINARY_FORM] as const) {
      const batches = await readLog(database.url, start, form, { batchRows: 4 });
      expect(changesIn(batches), `changes as ${form}`).toBe(4);
      await expectTable(database, replay(batches));
    }
  });

  it('a column that comes in the middle: older rows are looked up', async () => {
    const database = await createDatabase('log');
    await database.query('create table t (id bigint primary key, n numeric, at timestamptz, label text)');
    const start = await beginLog(database.url, [REF]);
    await database.query(`insert into t (id, n) values (1, 1); alter table t add big text; insert into t (id, n, big) values (2, 2, 'x')`);
    await expectTable(database, replay(await readLog(database.url, start, TEXT_FORM)));
    const source = openSource(database.url);
    try {
      const read = () =>
        Array.fromAsync(source.fetchChanges({ ...fetchRequest(source, REF), after: start, forms: new Map([[REF.name, BINARY_FORM]]) }));
      // What the types send cannot be read without knowing them: it is read again, as text.
      await expect(read()).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' });
      await expectTable(database, replay(await read()));
    } finally {
      await source.close();
    }
  });
});
