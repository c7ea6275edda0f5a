import type { CaseMaker } from '../bench.ts';
import { measure } from '../measure.ts';
import { counted, jobFolder } from './job.ts';
import type { JobFolder } from './job.ts';
import { emptyTarget, expectSame, seedOrders, settle } from './orders.ts';
import { pipe } from './pipe.ts';

const EVERY = 100;
const JOB =
  '  orders:\n    source: source\n    target: target\n    streams: [{ from: public.orders, changes: { by: cursor, field: updated_at }, deletes: { compare: {} } }]';

/** One row in a hundred is gone from the source since the last run; both sides are compared. */
export const deletedHundredth: CaseMaker = (bench) => {
  const rows = Math.floor(bench.rows / EVERY);
  let folder: JobFolder;
  let round = 0;
  const remove = async () => {
    await bench.query('source', `delete from orders where id % ${EVERY} = ${round++ % EVERY}`);
    await settle(bench);
  };
  return bench.psql === null
    ? { name: 'deletes', missing: 'psql' }
    : {
        name: 'deletes',
        title: 'PostgreSQL → PostgreSQL, 1 % of the rows deleted, found by comparing',
        rows,
        reference: 'psql pipe of all keys, delete what is not among them',
        prepare: async () => {
          await seedOrders(bench);
          await emptyTarget(bench);
          folder = await jobFolder(bench, { name: 'deletes', job: JOB });
          await folder.fresh();
          await measure({ argv: bench.trueup('run', '--json'), cwd: folder.dir }, []);
        },
        contenders: () =>
          Promise.resolve([
            {
              name: 'psql pipe of all keys, delete what is not among them',
              reset: remove,
              command: () =>
                pipe(
                  bench,
                  'copy (select id from orders) to stdout',
                  '-c "create temp table found (id bigint); copy found from stdin" -c "delete from orders t where not exists (select from found where found.id = t.id)"',
                ),
              check: () => expectSame(bench),
            },
            {
              name: 'trueup',
              reset: remove,
              command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
              check: async (measured) => {
                if (counted(measured).deleted === 0) throw new Error(`nothing was deleted: ${measured.stdout}`);
                await expectSame(bench);
              },
            },
          ]),
      };
};
