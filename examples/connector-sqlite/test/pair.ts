import type { DatabaseSync } from 'node:sqlite';
import type { ContentRow, OpenPair, Pair } from 'trueup/testing/faults';
import { createFile } from './folder.ts';

const THINGS = 'create table things (id integer primary key, label text not null, amount decimal, data blob)';
/** Of the target, which is there before trueup, so that it counts its own writes. */
const COUNTED = `create table things (id integer primary key, label text not null, amount decimal text, data blob);
  create table writes (n integer primary key);
  create trigger counted_insert after insert on things begin insert into writes values (null); end;
  create trigger counted_update after update on things begin insert into writes values (null); end;
  create trigger counted_delete after delete on things begin insert into writes values (null); end`;

/** Two SQLite files, as the fault kit wants them. */
async function open(): Promise<OpenPair> {
  const [from, to] = [createFile(), createFile()];
  for (const { database } of [from, to]) database.exec('pragma synchronous = off'); // of these connections, which only fill and look
  from.database.exec(THINGS);
  to.database.exec(COUNTED);
  const connector = new URL('../src/index.ts', import.meta.url).href;
  const write = (work: (database: DatabaseSync) => void): void => {
    from.database.exec('begin immediate');
    work(from.database);
    from.database.exec('commit');
  };
  const insertMany = (database: DatabaseSync, first: number, records: number, bytes: number): void => {
    const insert = database.prepare('insert into things values (?, ?, ?, zeroblob(?))');
    for (let id = first; id < first + records; id += 1) insert.run(id, `thing ${id}`, id % 3 === 0 ? null : id, bytes);
  };
  return {
    source: { connector, options: { path: from.path } },
    target: { connector, options: { path: to.path } },
    job: { streams: [{ from: 'things', changes: { by: 'log' } }] },
    async seed(records) {
      write((database) => insertMany(database, 1, records, 3));
    },
    async change(step) {
      let changed = 0;
      const run = (database: DatabaseSync, text: string): void => void (changed += Number(database.prepare(text).run().changes));
      write((database) => run(database, `update things set label = 'step ${step}' where id % 41 = ${step % 41}`));
      write((database) => {
        run(database, `delete from things where id % 83 = ${step % 83}`);
        run(database, `insert into things select max(id) + 1, 'new in ${step}', '${step}', x'00' from things`);
      });
      write((database) => run(database, `update things set id = -id where id % 97 = ${step % 97} and id > 0`));
      return changed * 2; // a key that changed is two records
    },
    async extremes() {
      write((database) => {
        const insert = database.prepare('insert into things values (?, ?, ?, ?)');
        const ids = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n];
        const labels = ['', ' ', '\0', 'a\0b', 'ünïcødé 日本語 😀', 'quote\'s "\\', 'x'.repeat(1_000_000)];
        for (const [index, id] of ids.entries()) insert.run(id, labels[index] ?? '', null, new Uint8Array(index));
        for (const [index, label] of labels.entries()) insert.run(5_000_000 + index, label, 2n ** 62n + BigInt(index), null);
        insertMany(database, 6_000_000, 60, 1_000);
      });
      return 72;
    },
    expected: async () => contentOf(from.database),
    actual: async () => contentOf(to.database),
    writes: async () => Number(to.database.prepare('select count(*) as count from writes').get()?.['count']),
    async close() {
      await from.close();
      await to.close();
    },
  };
}

function contentOf(database: DatabaseSync): ContentRow[] {
  const statement = database.prepare(
    'select cast(id as text) as key, label, cast(amount as text) as amount, hex(data) as data from things order by id',
  );
  return Array.from(statement.iterate(), ({ key, label, amount, data }) => ({
    key: String(key),
    content: JSON.stringify([label, amount, data]),
  }));
}

const NO_SERVER = 'SQLite is no server: a file is opened, without a line to it';

export const pair: Pair = {
  name: 'sqlite → sqlite',
  lacks: {
    'proxy-source': NO_SERVER,
    'proxy-target': NO_SERVER,
    'server-source': NO_SERVER,
    'server-target': NO_SERVER,
    'standby-source': NO_SERVER,
    'standby-target': NO_SERVER,
    'disk-target': 'the test has no small disk',
    transactions: 'SQLite has one writer: whoever holds a transaction open keeps all others from committing',
    bulk: 'rows are copied on their way through the stage: 300 MB of them took some 300 MiB, more than the kit allows',
    ties: 'every noted change has a number of its own',
  },
  open,
};
