import { fileURLToPath } from 'node:url';
import type { CaseMaker } from '../bench.ts';
import type { Measured } from '../measure.ts';
import { jobFolder } from './job.ts';
import { COLUMNS } from './orders.ts';

const NAME = 'postgres-log-delay';
const PROGRAM = fileURLToPath(new URL('../programs/log-delay.ts', import.meta.url));
const PER_SECOND = 50;
const SECONDS = 30;

/** How long a change is on its way under light load. What counts as the time of a run is the 99th percentile; the rest stands in the notes. */
export const postgresLogDelay: CaseMaker = (bench) => ({
  name: NAME,
  title: `PostgreSQL → PostgreSQL, delay of changes from the log at ${PER_SECOND} transactions a second, 99th percentile`,
  rows: 0,
  reference: 'a commit on each side, by hand',
  prepare: () => Promise.resolve(),
  contenders: async () => {
    const folder = await jobFolder(bench, {
      name: NAME,
      job: `  log:\n    source: source\n    target: target\n    streams: [{ from: public.orders, changes: { by: log } }]`,
    });
    const contender = (name: string, how: string, command: readonly string[]) => ({
      name,
      reset: async () => {
        await bench.query('source', `drop table if exists orders; drop publication if exists trueup_log; create table orders (${COLUMNS})`);
        await bench.query('target', `drop table if exists orders; drop schema if exists trueup cascade; create table orders (${COLUMNS})`);
        await folder.fresh();
      },
      command: () => ({
        argv: [
          process.execPath,
          PROGRAM,
          how,
          bench.postgres.source,
          bench.postgres.target,
          String(PER_SECOND),
          String(SECONDS),
          ...command,
        ] as const,
        cwd: folder.dir,
      }),
      wallMs: (measured: Measured) => noted(measured)['p99Ms'] ?? Number.NaN,
      check: (measured: Measured) => Promise.resolve(noted(measured)),
    });
    return [
      contender('trueup', 'follow', bench.trueup('run', '--follow', '--json', '--log-level', 'error')),
      contender('a commit on each side, by hand', 'hand', []),
    ];
  },
});

function noted({ stdout }: Measured): Record<string, number> {
  return JSON.parse(stdout) as Record<string, number>;
}
