import { fileURLToPath } from 'node:url';
import type { Collection } from 'mongodb';
import type { Bench, CaseMaker, Contender, Missing } from '../bench.ts';
import type { Command, Measured } from '../measure.ts';
import { expectCounts, jobFolder } from './job.ts';
import type { JobFolder, JobText } from './job.ts';
import { COLUMNS, emptyTarget, seedOrders, settle } from './orders.ts';
import { pipe } from './pipe.ts';

const PROGRAM = fileURLToPath(new URL('../programs/write-documents.ts', import.meta.url));
/** Commands in flight of the driver-only loop: with one it is slower, with four no faster. */
const IN_FLIGHT = 2;

interface Writing {
  readonly collection: string;
  readonly how: 'insert' | 'replace';
  readonly count: number;
  readonly kind?: 'flat' | 'lines';
}

function program({ mongodb }: Bench, { collection, how, count, kind = 'flat' }: Writing): Command {
  return { argv: [process.execPath, PROGRAM, mongodb ?? '', collection, how, String(count), kind, String(IN_FLIGHT)] };
}

const printedWall = ({ stdout }: Measured): number => (JSON.parse(stdout) as { wallMs: number }).wallMs;

function driverOnly(bench: Bench, name: string, writing: Writing, reset: () => Promise<void>): Contender {
  return {
    name,
    reset,
    command: () => program(bench, writing),
    wallMs: printedWall,
    check: () => expectDocuments(bench, writing.collection, null),
  };
}

async function withCollection<T>({ mongodb }: Bench, name: string, work: (collection: Collection) => Promise<T>): Promise<T> {
  const { MongoClient } = await import('mongodb');
  const client = await MongoClient.connect(mongodb ?? '');
  try {
    return await work(client.db('bench').collection(name));
  } finally {
    await client.close();
  }
}

const dropCollection = (bench: Bench, name: string): Promise<boolean> => withCollection(bench, name, (collection) => collection.drop());

/** @param count `null`: whatever there is, as long as there is something */
async function expectDocuments(bench: Bench, name: string, count: number | null): Promise<void> {
  const found = await withCollection(bench, name, (collection) => collection.estimatedDocumentCount());
  if (count === null ? found === 0 : found !== count) throw new Error(`${name} holds ${found} documents, expected ${count ?? 'some'}`);
}

/** The checkpoints that stand beside the documents. */
async function forgetCheckpoints({ mongodb }: Bench): Promise<void> {
  const { MongoClient } = await import('mongodb');
  const client = await MongoClient.connect(mongodb ?? '');
  for (const { name } of await client.db('bench').listCollections().toArray())
    if (name.includes('trueup')) await client.db('bench').collection(name).drop();
  await client.close();
}

function needs(bench: Bench, name: string): Missing | null {
  if (bench.mongodb === null) return { name, missing: 'mongod' };
  return bench.psql === null ? { name, missing: 'psql' } : null;
}

interface TrueupRun {
  readonly name: string;
  readonly text: JobText;
  readonly before: () => Promise<void>;
  readonly upserted: number;
  readonly after?: () => Promise<void>;
}

async function trueup(bench: Bench, { name, text, before, upserted, after }: TrueupRun): Promise<Contender> {
  const folder = await jobFolder(bench, text);
  return {
    name,
    reset: async () => {
      await folder.fresh();
      await before();
    },
    command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
    check: async (measured) => {
      expectCounts(measured, { upserted });
      await after?.();
    },
  };
}

/** Stamps of the narrow table are whole milliseconds, so nothing is lost in a Date. */
const FLAT = `  documents:\n    source: source\n    target: documents\n    streams: [{ from: public.orders, to: orders, changes: { by: cursor, field: updated_at } }]`;

export const flatDocuments: CaseMaker = (bench) =>
  needs(bench, 'documents') ?? {
    name: 'documents',
    title: 'PostgreSQL → MongoDB, first load, flat',
    rows: bench.rows,
    reference: 'driver only, insertMany from memory',
    target: 1 / 0.85,
    prepare: () => seedOrders(bench),
    contenders: async () => [
      driverOnly(
        bench,
        'driver only, insertMany from memory',
        { collection: 'made', how: 'insert', count: bench.rows },
        async () => void (await dropCollection(bench, 'made')),
      ),
      await trueup(bench, {
        name: 'trueup',
        text: { name: 'documents', job: FLAT },
        before: async () => {
          await dropCollection(bench, 'orders');
          await forgetCheckpoints(bench);
        },
        upserted: bench.rows,
        after: () => expectDocuments(bench, 'orders', bench.rows),
      }),
    ],
  };

export const changedDocuments: CaseMaker = (bench) => {
  const rows = Math.floor(bench.rows / 10);
  let folder: JobFolder;
  return (
    needs(bench, 'documents-changed-10') ?? {
      name: 'documents-changed-10',
      title: 'PostgreSQL → MongoDB, 10 % of the rows changed',
      rows,
      reference: 'driver only, replaceOne from memory',
      target: 1 / 0.9,
      prepare: async () => {
        await seedOrders(bench);
        await dropCollection(bench, 'orders');
        await dropCollection(bench, 'made');
        await forgetCheckpoints(bench);
        folder = await jobFolder(bench, { name: 'documents-changed', job: FLAT });
        await folder.fresh();
        const { measure } = await import('../measure.ts');
        await measure({ argv: bench.trueup('run', '--json'), cwd: folder.dir }, []);
        await measure(program(bench, { collection: 'made', how: 'insert', count: bench.rows }), []);
      },
      contenders: () =>
        Promise.resolve([
          driverOnly(bench, 'driver only, replaceOne from memory', { collection: 'made', how: 'replace', count: rows }, () =>
            Promise.resolve(),
          ),
          {
            name: 'trueup',
            reset: async () => {
              await bench.query(
                'source',
                `update orders set total = total + 1, updated_at = date_trunc('milliseconds', clock_timestamp()) where id % 10 = 0`,
              );
              await settle(bench);
            },
            command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
            check: (measured) => Promise.resolve(expectCounts(measured, { upserted: rows })),
          },
        ]),
    }
  );
};

const EMBED = `fields: { _id: id, id: id, customer_id: customer_id, status: status, total: total, currency: currency, note: note, placed_at: placed_at, shipped_at: shipped_at, updated_at: updated_at, paid: paid }
embed: { items: { from: public.order_items, on: { order_id: id }, orderBy: [line_no], fields: { line_no: line_no, sku: sku, quantity: quantity } } }
`;

export const embeddedDocuments: CaseMaker = (bench) => {
  const parents = Math.floor(bench.rows / 10);
  return (
    needs(bench, 'documents-embedded') ?? {
      name: 'documents-embedded',
      title: 'PostgreSQL → MongoDB, first load, ten children embedded in each document',
      rows: parents,
      reference: 'driver only, insertMany of the same documents',
      target: 1 / 0.7,
      prepare: async () => {
        await seedOrders({ ...bench, rows: parents });
        await bench.query('source', 'drop table if exists order_items');
        await bench.query(
          'source',
          `create table order_items as select o.id as order_id, l as line_no, 'sku ' || (o.id * 10 + l - 1) % 1000 as sku, (l - 1) % 5 + 1 as quantity, o.updated_at from orders o, generate_series(1, 10) l`,
        );
        await bench.query(
          'source',
          'alter table order_items add primary key (order_id, line_no), alter column updated_at set not null; create index on order_items (updated_at, order_id, line_no)',
        );
        await bench.query('source', 'vacuum analyze order_items');
      },
      contenders: async () => [
        driverOnly(
          bench,
          'driver only, insertMany of the same documents',
          { collection: 'made', how: 'insert', count: parents, kind: 'lines' },
          async () => void (await dropCollection(bench, 'made')),
        ),
        await trueup(bench, {
          name: 'trueup',
          text: { name: 'documents-embedded', job: FLAT.replace(' }]', ', mapping: embed.yaml }]'), files: { 'embed.yaml': EMBED } },
          before: async () => {
            await dropCollection(bench, 'orders');
            await forgetCheckpoints(bench);
          },
          upserted: parents,
          after: () => expectDocuments(bench, 'orders', parents),
        }),
      ],
    }
  );
};

const TO_ROWS = (mapping: string): string =>
  `  rows:\n    source: documents\n    target: target\n    streams: [{ from: made, to: public.orders, changes: { by: cursor, field: updated_at }, lookback: 0s${mapping} }]`;

export const rowsFromDocuments: CaseMaker = (bench) =>
  needs(bench, 'rows-from-documents') ?? {
    name: 'rows-from-documents',
    title: 'MongoDB → PostgreSQL, first load, flat',
    rows: bench.rows,
    reference: 'psql pipe, text',
    target: 1.3,
    prepare: async () => {
      await seedOrders(bench);
      await dropCollection(bench, 'made');
      const { measure } = await import('../measure.ts');
      await measure(program(bench, { collection: 'made', how: 'insert', count: bench.rows }), []);
      await withCollection(bench, 'made', (collection) => collection.createIndex({ updated_at: 1, _id: 1 }));
    },
    contenders: async () => [
      {
        name: 'psql pipe, text',
        reset: () => emptyTarget(bench, 'orders', COLUMNS),
        command: () => pipe(bench, 'copy orders to stdout', '-c "copy orders from stdin"'),
        check: () => Promise.resolve(),
      },
      await trueup(bench, {
        name: 'trueup',
        text: { name: 'rows-from-documents', job: TO_ROWS('') },
        before: () => emptyTarget(bench, 'orders', null),
        upserted: bench.rows,
      }),
    ],
  };

const UNWIND = `fields: { id: _id, customer_id: customer_id, status: status, updated_at: updated_at }
unwind: { public.order_items: { path: items, key: [order_id, line_no], fields: { order_id: _id, line_no: items.line_no, sku: items.sku, quantity: items.quantity } } }
`;

export const unwoundDocuments: CaseMaker = (bench) => {
  const parents = Math.floor(bench.rows / 10);
  return (
    needs(bench, 'rows-unwound') ?? {
      name: 'rows-unwound',
      title: 'MongoDB → PostgreSQL, first load, ten child rows unwound from each document',
      rows: parents,
      reference: 'psql pipe of the child rows',
      target: 2,
      prepare: async () => {
        await seedOrders({ ...bench, rows: parents });
        await bench.query('source', 'drop table if exists order_items');
        await bench.query(
          'source',
          `create table order_items as select o.id as order_id, l as line_no, 'sku ' || (o.id * 10 + l - 1) % 1000 as sku, (l - 1) % 5 + 1 as quantity from orders o, generate_series(1, 10) l`,
        );
        await dropCollection(bench, 'made');
        const { measure } = await import('../measure.ts');
        await measure(program(bench, { collection: 'made', how: 'insert', count: parents, kind: 'lines' }), []);
        await withCollection(bench, 'made', (collection) => collection.createIndex({ updated_at: 1, _id: 1 }));
      },
      contenders: async () => [
        {
          name: 'psql pipe of the child rows',
          reset: () =>
            emptyTarget(bench, 'order_items', 'order_id bigint, line_no int, sku text, quantity int, primary key (order_id, line_no)'),
          command: () => pipe(bench, 'copy order_items to stdout', '-c "copy order_items from stdin"'),
          check: () => Promise.resolve(),
        },
        await trueup(bench, {
          name: 'trueup',
          text: { name: 'rows-unwound', job: TO_ROWS(', mapping: unwind.yaml'), files: { 'unwind.yaml': UNWIND } },
          before: async () => {
            await emptyTarget(bench, 'orders', null);
            await emptyTarget(bench, 'order_items', null);
          },
          upserted: parents,
        }),
      ],
    }
  );
};
