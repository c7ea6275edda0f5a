import { describe } from 'vitest';
import { checkpointStoreContract, sourceContract, targetContract } from 'trueup/testing';
import type { SourceFixture, StoreFixture, TargetFixture, TestRecord } from 'trueup/testing';
import type { Cell, StreamRef, TargetStream } from 'trueup/sdk';
import { quote } from '../src/quote.ts';
import { cellOf } from '../src/value.ts';
import { createFile } from './folder.ts';

const NEVER = new AbortController().signal;
const THINGS =
  'create table things (id integer primary key, label text, price decimal not null, data blob not null, seen boolean not null)';

async function sourceFixture(by: 'log' | 'snapshot'): Promise<SourceFixture> {
  const file = createFile();
  const { database } = file;
  database.exec(THINGS);
  const stream: StreamRef = { name: 'things', changes: { by }, key: ['id'], fields: null, except: [], maxRecordBytes: 1_000_000 };
  const made = file.source();
  await made.apply?.(await made.plan([stream], NEVER), NEVER);
  await made.close();
  const transaction = (work: () => void): void => {
    database.exec('begin immediate');
    work();
    database.exec('commit');
  };
  const insert = database.prepare(`insert into things values (?, ?, ?, x'00ff', 1)`);
  const update = database.prepare('update things set label = ? where id = ?');
  const remove = database.prepare('delete from things where id = ?');
  return {
    stream,
    fields: { id: 'id', label: 'label' },
    open: () => file.source(),
    insert: async (records: readonly TestRecord[]) =>
      transaction(() => records.forEach(({ id, label }) => insert.run(id, label, id + 0.5))),
    update: async (records: readonly TestRecord[]) => transaction(() => records.forEach(({ id, label }) => update.run(label, id))),
    delete: async (ids) => transaction(() => ids.forEach((id) => remove.run(id))),
    close: () => file.close(),
  };
}

function targetFixture(): TargetFixture {
  const file = createFile();
  return {
    open: () => file.target(),
    targetName: (stream) => stream,
    read: async ({ target, shape }: TargetStream) => {
      const columns = new Set(
        file.database
          .prepare('select name from pragma_table_xinfo(?)')
          .all(target)
          .map(({ name }) => name),
      );
      if (columns.size === 0) return [];
      const select = shape.fields.map(({ name }) => (columns.has(name) ? quote(name) : 'null'));
      const statement = file.database.prepare(`select ${select.join(', ')} from ${quote(target)}`);
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      const rows = statement.all() as unknown as (null | bigint | number | string | Uint8Array)[][];
      return rows.map((row) => row.map((value, index): Cell => cellOf(shape.fields[index]?.type ?? 'unknown', value)));
    },
    exactTypes: [
      'bool',
      'int32',
      'decimal',
      'bytes',
      'uuid',
      'objectId',
      'date',
      'time',
      'timestamp',
      'timestamptz',
      'interval',
      'json',
      'unknown',
    ],
    close: () => file.close(),
  };
}

function storeFixture(): StoreFixture {
  const file = createFile();
  return {
    open: () => {
      const target = file.target();
      const store = target.checkpoints;
      if (store === undefined) throw new Error('the target keeps checkpoints');
      return { ...store, close: () => target.close() };
    },
    close: () => file.close(),
  };
}

describe('the sqlite source by its change table', () => sourceContract(() => sourceFixture('log')));

describe('the sqlite target', () => targetContract(targetFixture));

describe('the checkpoints in a sqlite target', () => checkpointStoreContract(storeFixture));
