import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench, CaseMaker, Contender } from '../bench.ts';
import { measure } from '../measure.ts';
import type { Measured } from '../measure.ts';
import { counted, jobFolder } from './job.ts';
import { COLUMNS, expectSame } from './orders.ts';

const NAME = 'postgres-log';
const PROGRAM = fileURLToPath(new URL('../programs/read-log.ts', import.meta.url));
const PUBLICATION = 'bench_log';
const SLOT = 'bench_recv';
/** Rows of one transaction of the source. */
const TRANSACTION = 100;

/**
 * Inserts, updates and deletes out of the log of the source, in small transactions. The reference is the server's own client, which throws away what it receives: what the
 * server needs to decode.
 */
export const postgresLog: CaseMaker = (bench) => {
  const program = findProgram('pg_recvlogical');
  if (program === null) return { name: NAME, missing: 'pg_recvlogical' };
  return {
    name: NAME,
    title: 'PostgreSQL → PostgreSQL, changes from the log',
    rows: bench.rows,
    reference: 'pg_recvlogical to /dev/null',
    prepare: async () => {
      await bench.query(
        'source',
        `drop table if exists orders; create table orders (${COLUMNS}); drop publication if exists ${PUBLICATION}; create publication ${PUBLICATION} for table orders`,
      );
      await bench.query('target', `drop table if exists orders; drop schema if exists trueup cascade; create table orders (${COLUMNS})`);
    },
    contenders: async () => [await trueupLog(bench), await receive(bench, program), decode(bench)],
  };
};

/** Half of the changes insert, a third updates, the rest deletes. */
async function change({ query, rows }: Bench): Promise<void> {
  const inserts = Math.round(rows / 2);
  const updates = Math.round(rows / 3);
  const loop = (count: number, statement: string) =>
    query('source', `do $$ begin for b in 0..${Math.ceil(count / TRANSACTION) - 1} loop ${statement}; commit; end loop; end $$`);
  const range = (count: number) => `between b * ${TRANSACTION} + 1 and least(${count}, (b + 1) * ${TRANSACTION})`;
  await loop(
    inserts,
    `insert into orders select i, i % 50000, 'new', (i % 100000) / 100.0, 'EUR', repeat('lorem ipsum ', 8) || i, timestamptz '2026-01-01' - i * interval '1 s', null, now(), i % 2 = 0
       from generate_series(b * ${TRANSACTION} + 1, least(${inserts}, (b + 1) * ${TRANSACTION})) i`,
  );
  await loop(updates, `update orders set status = 'paid', updated_at = now() where id ${range(updates)}`);
  const deletes = rows - inserts - updates;
  await loop(deletes, `delete from orders where id ${range(deletes)}`);
}

async function trueupLog(bench: Bench): Promise<Contender> {
  const folder = await jobFolder(bench, {
    name: NAME,
    job: `  log:\n    source: source\n    target: target\n    streams: [{ from: public.orders, changes: { by: log } }]`,
  });
  const run = () => measure({ argv: bench.trueup('run', '--json'), cwd: folder.dir }, []);
  return {
    name: 'trueup',
    reset: async () => {
      await bench.query('source', 'truncate orders');
      await run();
      await change(bench);
      await bench.query('target', 'checkpoint');
    },
    command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
    check: async (measured) => {
      const { read } = counted(measured);
      if (read !== bench.rows) throw new Error(`read ${read} changes, expected ${bench.rows}`);
      await expectSame(bench);
    },
  };
}

/** The same reading as in a run, into batches that are thrown away: what the receiving and decoding takes. */
function decode(bench: Bench): Contender {
  const read = (...args: string[]) => [process.execPath, PROGRAM, bench.postgres.source, 'public.orders', 'binary', ...args] as const;
  const result = ({ stdout }: Measured) => JSON.parse(stdout) as { wallMs: number; changes: number };
  return {
    name: 'trueup, received and decoded alone',
    reset: async () => {
      await bench.query('source', 'truncate orders');
      await measure({ argv: read('begin') }, []);
      await change(bench);
    },
    command: () => ({ argv: read() }),
    wallMs: (measured) => result(measured).wallMs,
    check: async (measured) => {
      const { changes } = result(measured);
      if (changes !== bench.rows) throw new Error(`read ${changes} changes, expected ${bench.rows}`);
      await measure({ argv: read('end') }, []);
    },
  };
}

async function receive(bench: Bench, program: string): Promise<Contender> {
  const drop = `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${SLOT}'`;
  return {
    name: 'pg_recvlogical to /dev/null',
    reset: async () => {
      await bench.query('source', `truncate orders`);
      await bench.query('source', drop);
      await bench.query('source', `select pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
      await change(bench);
    },
    command: async () => {
      const [row] = await bench.query<{ lsn: string }>('source', 'select pg_current_wal_lsn()::text as lsn');
      const start = ['--start', '--no-loop', '-f', '/dev/null', '--endpos', row?.lsn ?? ''];
      return {
        argv: [
          program,
          '-d',
          bench.postgres.source,
          '--slot',
          SLOT,
          ...start,
          '-o',
          'proto_version=1',
          '-o',
          `publication_names=${PUBLICATION}`,
        ],
      };
    },
    check: async () => void (await bench.query('source', drop)),
  };
}

function findProgram(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? null;
}
