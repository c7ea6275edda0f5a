import type { Bench, CaseMaker, Contender } from '../bench.ts';
import { expectCounts, jobFolder } from './job.ts';
import { emptyTarget, expectSame, settle } from './orders.ts';
import { pipe, shell } from './pipe.ts';

interface Shape {
  readonly name: string;
  readonly title: string;
  readonly rows: number;
  readonly columns: string;
  readonly select: string;
}

/** A first load of tables that are nothing like the narrow one. */
function shape({ name, title, rows, columns, select }: Shape): CaseMaker {
  return (bench) =>
    bench.psql === null
      ? { name, missing: 'psql' }
      : {
          name,
          title: `PostgreSQL → PostgreSQL, first load, ${title}`,
          rows,
          reference: 'psql pipe, text',
          prepare: async () => {
            await bench.query('source', `drop table if exists things; create table things (${columns})`);
            await bench.query('source', `insert into things select ${select} from generate_series(1, ${rows}) i`);
            await bench.query('source', 'vacuum analyze things');
          },
          contenders: async () => [
            {
              name: 'psql pipe, text',
              reset: () => emptyTarget(bench, 'things', columns),
              command: () => pipe(bench, 'copy things to stdout', '-c "copy things from stdin"'),
              check: () => expectSame(bench, 'things'),
            },
            await trueupThings(bench, { name, columns, rows }),
          ],
        };
}

async function trueupThings(bench: Bench, { name, columns, rows }: Pick<Shape, 'name' | 'columns' | 'rows'>): Promise<Contender> {
  const job = `  things:\n    source: source\n    target: target\n    streams: [{ from: public.things, changes: { by: xmin } }]`;
  const folder = await jobFolder(bench, { name, job });
  return {
    name: 'trueup',
    reset: async () => {
      await folder.fresh();
      await emptyTarget(bench, 'things', columns);
    },
    command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
    check: async (measured) => {
      expectCounts(measured, { upserted: rows });
      await expectSame(bench, 'things');
    },
  };
}

const WIDE = Array.from({ length: 199 }, (_, index) => index);
const TYPES = ['int', 'text', 'numeric(10,2)', 'timestamptz'];
const VALUES = ['i', `'text ' || i`, 'i / 7.0', `timestamptz '2026-01-01' + i * interval '1 s'`];

export const wide = shape({
  name: 'wide',
  title: '200 columns',
  rows: 50_000,
  columns: `id bigint primary key, ${WIDE.map((index) => `c${index} ${TYPES[index % 4]}`).join(', ')}`,
  select: `i, ${WIDE.map((index) => VALUES[index % 4]).join(', ')}`,
});

export const json = shape({
  name: 'json',
  title: 'jsonb of 20 KB',
  rows: 20_000,
  columns: 'id bigint primary key, doc jsonb',
  select: `i, jsonb_build_object('n', i, 'items', (select jsonb_agg(jsonb_build_object('k', md5((i * 1000 + k)::text), 'v', k)) from generate_series(1, 330) k))`,
});

export const large = shape({
  name: 'large',
  title: 'values of 1 MB',
  rows: 300,
  columns: 'id bigint primary key, body text',
  select: `i, (select string_agg(md5((i * 100000 + k)::text), '') from generate_series(1, 32768) k)`,
});

export const verify: CaseMaker = (bench) =>
  bench.psql === null
    ? { name: 'verify', missing: 'psql' }
    : {
        name: 'verify',
        title: 'verify, PostgreSQL ↔ PostgreSQL',
        rows: bench.rows,
        reference: 'COPY of both sides, one after the other',
        target: 1.5,
        prepare: async () => {
          const { seedOrders } = await import('./orders.ts');
          const { measure } = await import('../measure.ts');
          await seedOrders(bench);
          await emptyTarget(bench, 'orders', null);
          const folder = await verifyFolder(bench);
          await folder.fresh();
          await measure({ argv: bench.trueup('run', '--json'), cwd: folder.dir }, []);
          await settle(bench);
        },
        contenders: async () => {
          const folder = await verifyFolder(bench);
          return [
            {
              name: 'COPY of both sides, one after the other',
              reset: () => Promise.resolve(),
              command: () =>
                shell(
                  `"$PSQL" -XqAt "$SOURCE" -c "copy orders to stdout" > /dev/null; "$PSQL" -XqAt "$TARGET" -c "copy orders to stdout" > /dev/null`,
                  { PSQL: bench.psql ?? '', SOURCE: bench.postgres.source, TARGET: bench.postgres.target },
                ),
              check: () => Promise.resolve(),
            },
            {
              name: 'trueup verify',
              reset: () => Promise.resolve(),
              command: () => ({ argv: bench.trueup('verify', 'orders', '--json'), cwd: folder.dir }),
              check: ({ stdout }) =>
                (JSON.parse(stdout) as { consistent: boolean }).consistent
                  ? Promise.resolve()
                  : Promise.reject(new Error('verify found differences')),
            },
          ];
        },
      };

const verifyFolder = (bench: Bench) =>
  jobFolder(bench, {
    name: 'verify',
    job: `  orders:\n    source: source\n    target: target\n    streams: [{ from: public.orders, changes: { by: cursor, field: updated_at } }]`,
  });
