import type { Bench, CaseMaker, Contender, Missing } from '../bench.ts';
import { counted, expectCounts, jobFolder } from './job.ts';
import type { JobFolder } from './job.ts';
import { TEN, THREE } from './mappings.ts';
import { COLUMNS, emptyTarget, expectSame, seedOrders, settle } from './orders.ts';
import { peersFollowing, peersLoading } from './peers.ts';
import { pipe, shell } from './pipe.ts';

const NAMES = 'id, customer_id, status, total, currency, note, placed_at, shipped_at, updated_at, paid';

const job = (more = ''): string =>
  `  orders:\n    source: source\n    target: target\n    streams: [{ from: public.orders, changes: { by: cursor, field: updated_at }${more} }]`;

interface Loading {
  readonly name: string;
  readonly job: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Of the target; `null`: trueup makes the table. */
  readonly columns?: string | null;
  readonly same?: boolean;
}

async function loading(bench: Bench, { name, job: text, files, columns = COLUMNS, same = true }: Loading): Promise<Contender> {
  const folder = await jobFolder(bench, { name: name.replaceAll(/\W+/g, '-'), job: text, ...(files === undefined ? {} : { files }) });
  return {
    name,
    reset: async () => {
      await folder.fresh();
      await emptyTarget(bench, 'orders', columns);
    },
    command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
    check: async (measured) => {
      expectCounts(measured, { upserted: bench.rows });
      if (same) await expectSame(bench);
    },
  };
}

function pipes(bench: Bench): Contender[] {
  const made = (name: string, format: string): Contender => ({
    name,
    reset: () => emptyTarget(bench),
    command: () =>
      pipe(bench, `copy (select ${NAMES} from orders) to stdout ${format}`, `-c "copy orders (${NAMES}) from stdin ${format}"`),
    check: () => expectSame(bench),
  });
  return [made('psql pipe, text', ''), made('psql pipe, binary', 'with (format binary)')];
}

const without = (bench: Bench, name: string): Missing | null => (bench.psql === null ? { name, missing: 'psql' } : null);

export const firstLoad: CaseMaker = (bench) =>
  without(bench, 'first-load') ?? {
    name: 'first-load',
    title: 'PostgreSQL → PostgreSQL, first load, raw',
    rows: bench.rows,
    reference: 'psql pipe, text',
    target: 0.8,
    prepare: () => seedOrders(bench),
    contenders: async () => [
      ...pipes(bench),
      await loading(bench, { name: 'trueup', job: job() }),
      await loading(bench, { name: 'trueup, one feed', job: job(', backfill: { partitions: 1 }') }),
    ],
  };

/** Apart from the other cases, since what some of these tools leave to the servers to do slows whoever comes next. */
export const loadOfOthers: CaseMaker = (bench) =>
  without(bench, 'first-load-others') ?? {
    name: 'first-load-others',
    title: 'PostgreSQL → PostgreSQL, first load, other tools',
    rows: bench.rows,
    reference: 'psql pipe, text',
    prepare: () => seedOrders(bench),
    contenders: async () => [
      ...pipes(bench).slice(0, 1),
      await loading(bench, { name: 'trueup', job: job() }),
      ...(await peersLoading(bench)),
    ],
  };

export const mappedLoad: CaseMaker = (bench) =>
  without(bench, 'mapped-load') ?? {
    name: 'mapped-load',
    title: 'PostgreSQL → PostgreSQL, first load, three mapped fields',
    rows: bench.rows,
    reference: 'psql pipe, text',
    target: 1.5,
    prepare: () => seedOrders(bench),
    contenders: async () => [
      ...pipes(bench).slice(0, 1),
      await loading(bench, {
        name: 'trueup, three mapped fields',
        job: job(', mapping: three.yaml'),
        files: { 'three.yaml': THREE },
        columns: null,
        same: false,
      }),
    ],
  };

export const expressionLoad: CaseMaker = (bench) =>
  without(bench, 'expression-load') ?? {
    name: 'expression-load',
    title: 'PostgreSQL → PostgreSQL, first load, an expression in each of ten fields',
    rows: bench.rows,
    reference: 'psql pipe, text',
    target: 3,
    prepare: () => seedOrders(bench),
    contenders: async () => [
      ...pipes(bench).slice(0, 1),
      await loading(bench, {
        name: 'trueup, ten expressions',
        job: job(', mapping: ten.yaml'),
        files: { 'ten.yaml': TEN },
        columns: null,
        same: false,
      }),
    ],
  };

export const tiesLoad: CaseMaker = (bench) =>
  without(bench, 'ties') ?? {
    name: 'ties',
    title: 'PostgreSQL → PostgreSQL, first load, all rows with one cursor value',
    rows: bench.rows,
    reference: 'psql pipe, text',
    prepare: () => seedOrders(bench, true),
    contenders: async () => [...pipes(bench).slice(0, 1), await loading(bench, { name: 'trueup', job: job() })],
  };

/** Some of the rows changed since the last run. */
function changed(share: number, name: string, target?: number): CaseMaker {
  return (bench) => {
    const every = Math.round(1 / share);
    const rows = Math.floor(bench.rows / every);
    let loaded = false;
    let folder: JobFolder;
    const change = async () => {
      await bench.query('source', `update orders set total = total + 1, updated_at = clock_timestamp() where id % ${every} = 0`);
      await settle(bench);
    };
    return (
      without(bench, name) ?? {
        name,
        title: `PostgreSQL → PostgreSQL, ${share * 100} % of the rows changed`,
        rows,
        reference: 'psql pipe and merge',
        ...(target === undefined ? {} : { target }),
        prepare: async () => {
          await seedOrders(bench);
          await emptyTarget(bench);
          folder = await jobFolder(bench, { name, job: job() });
          await folder.fresh();
          await bench.query('target', 'create schema if not exists trueup');
          await bench.query('target', 'drop schema trueup cascade');
        },
        contenders: async () => [
          {
            name: 'psql pipe and merge',
            reset: change,
            command: () =>
              pipe(
                bench,
                `copy (select ${NAMES} from orders where updated_at > now() - interval '1 hour' and id % ${every} = 0) to stdout`,
                `-c "create temp table changed (like orders); copy changed (${NAMES}) from stdin" -c "insert into orders select * from changed on conflict (id) do update set ${NAMES.split(
                  ', ',
                )
                  .slice(1)
                  .map((column) => `${column} = excluded.${column}`)
                  .join(', ')}"`,
              ),
            check: () => Promise.resolve(),
          },
          {
            name: 'trueup',
            reset: async () => {
              if (!loaded) await bench.query('target', 'truncate orders');
              loaded = true;
              await runOnce(bench, folder);
              await change();
            },
            command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
            check: async (measured) => {
              if (counted(measured).upserted < rows)
                throw new Error(`only ${counted(measured).upserted} of ${rows} changed rows were written`);
              await expectSame(bench);
            },
          },
          ...(await peersFollowing(bench, change)),
        ],
      }
    );
  };
}

export const changedTenth = changed(0.1, 'changed-10', 1.15);
export const changedHundredth = changed(0.01, 'changed-1');

/** A run, not measured. */
async function runOnce(bench: Bench, folder: JobFolder): Promise<void> {
  const { measure } = await import('../measure.ts');
  await measure({ argv: bench.trueup('run', '--json'), cwd: folder.dir }, []);
}

export const nothingChanged: CaseMaker = (bench) => {
  let folder: JobFolder;
  return (
    without(bench, 'idle') ?? {
      name: 'idle',
      title: 'PostgreSQL → PostgreSQL, nothing changed, whole process',
      rows: 0,
      reference: 'psql, one query on each side',
      prepare: async () => {
        await seedOrders(bench);
        await emptyTarget(bench);
        folder = await jobFolder(bench, { name: 'idle', job: job() });
        await folder.fresh();
        for (let time = 0; time < 3; time++) await runOnce(bench, folder);
      },
      contenders: async () => [
        {
          name: 'psql, one query on each side',
          reset: () => Promise.resolve(),
          command: () =>
            shell('"$PSQL" -Xq "$SOURCE" -c "$ASK"; "$PSQL" -Xq "$TARGET" -c "$ASK"', {
              PSQL: bench.psql ?? '',
              SOURCE: bench.postgres.source,
              TARGET: bench.postgres.target,
              ASK: 'select max(updated_at) from orders',
            }),
          check: () => Promise.resolve(),
        },
        {
          name: 'trueup',
          reset: () => Promise.resolve(),
          command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
          check: (measured) => Promise.resolve(expectCounts(measured, { read: 0 })),
        },
        ...(await peersFollowing(bench, () => Promise.resolve())),
      ],
    }
  );
};

export const sameAgain: CaseMaker = (bench) => {
  let folder: JobFolder;
  return (
    without(bench, 'same-again') ?? {
      name: 'same-again',
      title: 'PostgreSQL → PostgreSQL, everything read again, nothing different',
      rows: bench.rows,
      reference: 'psql pipe and merge of what differs',
      prepare: async () => {
        await seedOrders(bench);
        await emptyTarget(bench);
        folder = await jobFolder(bench, { name: 'same-again', job: job() });
        await folder.fresh();
        await runOnce(bench, folder);
      },
      contenders: () =>
        Promise.resolve([
          {
            name: 'psql pipe and merge of what differs',
            reset: () => settle(bench),
            command: () =>
              pipe(
                bench,
                `copy (select ${NAMES} from orders) to stdout`,
                `-c "create temp table changed (like orders); copy changed (${NAMES}) from stdin" -c "insert into orders as t select * from changed on conflict (id) do update set total = excluded.total where t is distinct from excluded"`,
              ),
            check: () => expectSame(bench),
          },
          {
            name: 'trueup run --full',
            reset: () => settle(bench),
            command: () => ({ argv: bench.trueup('run', '--full', '--json'), cwd: folder.dir }),
            check: (measured) => Promise.resolve(expectCounts(measured, { unchanged: bench.rows, upserted: 0 })),
          },
        ]),
    }
  );
};

export const killed: CaseMaker = (bench) => {
  let folder: JobFolder;
  return (
    without(bench, 'kill-resume') ?? {
      name: 'kill-resume',
      title: 'PostgreSQL → PostgreSQL, killed in the middle of the first load, then run again',
      rows: bench.rows,
      reference: 'psql pipe, text',
      prepare: async () => {
        await seedOrders(bench);
        folder = await jobFolder(bench, { name: 'kill-resume', job: job() });
      },
      contenders: () =>
        Promise.resolve([
          ...pipes(bench).slice(0, 1),
          {
            name: 'trueup run after a kill',
            reset: async () => {
              await folder.fresh();
              await emptyTarget(bench);
              await killInTheMiddle(bench, folder);
            },
            command: () => ({ argv: bench.trueup('run', '--json'), cwd: folder.dir }),
            check: async (measured) => {
              await expectSame(bench);
              return { rowsReadTwice: counted(measured).unchanged };
            },
          },
        ]),
    }
  );
};

/** Kills a first load once half of the rows are there. */
async function killInTheMiddle(bench: Bench, folder: JobFolder): Promise<void> {
  const { measure } = await import('../measure.ts');
  let watching: NodeJS.Timeout | undefined;
  await measure(
    {
      argv: bench.trueup('run', '--json'),
      cwd: folder.dir,
      onStart: (kill) => {
        watching = setInterval(() => {
          void bench
            .query<{ n: number }>('target', 'select count(*)::int as n from orders')
            .then(([row]) => ((row?.n ?? 0) >= bench.rows / 2 ? kill() : undefined));
        }, 50);
      },
    },
    [],
  ).finally(() => clearInterval(watching));
}
