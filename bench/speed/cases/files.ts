import { join } from 'node:path';
import type { Bench, CaseMaker, Contender } from '../bench.ts';
import { expectCounts, jobFolder } from './job.ts';
import { COLUMNS, emptyTarget, seedOrders } from './orders.ts';
import { shell } from './pipe.ts';

/** A file of the narrow table into a keyed table. */
function fromFile(format: 'csv' | 'jsonl'): CaseMaker {
  const name = `from-${format}`;
  return (bench) =>
    bench.psql === null
      ? { name, missing: 'psql' }
      : {
          name,
          title: `${format === 'csv' ? 'CSV' : 'JSONL'} → PostgreSQL, first load`,
          rows: bench.rows,
          reference: 'psql \\copy of the CSV',
          prepare: async () => {
            await seedOrders(bench);
            const { measure } = await import('../measure.ts');
            const write = (sql: string, file: string) =>
              shell(`"$PSQL" -XqAt "$SOURCE" -c "${sql}" > "$FILE"`, {
                PSQL: bench.psql ?? '',
                SOURCE: bench.postgres.source,
                FILE: join(bench.scratch, file),
              });
            await measure(write('copy orders to stdout with (format csv, header)', 'orders.csv'), []);
            await measure(write('select row_to_json(o) from orders o', 'orders.jsonl'), []);
          },
          contenders: async () => [
            {
              name: 'psql \\copy of the CSV',
              reset: () => emptyTarget(bench),
              command: () =>
                shell(`"$PSQL" -Xq "$TARGET" -c "copy orders from stdin with (format csv, header)" < "$FILE"`, {
                  PSQL: bench.psql ?? '',
                  TARGET: bench.postgres.target,
                  FILE: join(bench.scratch, 'orders.csv'),
                }),
              check: () => Promise.resolve(),
            },
            await trueupFile(bench, `orders.${format}`),
          ],
        };
}

async function trueupFile(bench: Bench, file: string): Promise<Contender> {
  const folder = await jobFolder(bench, {
    name: `from-${file.replace('.', '-')}`,
    connections: `  files: { connector: file, path: "${bench.scratch}" }\n`,
    job: `  files:\n    source: files\n    target: target\n    streams: [{ from: "${file}", to: public.orders, key: [id] }]`,
  });
  return {
    name: 'trueup',
    reset: async () => {
      await folder.fresh();
      await emptyTarget(bench, 'orders', COLUMNS);
    },
    command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
    check: (measured) => Promise.resolve(expectCounts(measured, { upserted: bench.rows })),
  };
}

export const fromCsv = fromFile('csv');
export const fromJsonl = fromFile('jsonl');
