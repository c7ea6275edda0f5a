import type { Bench } from '../bench.ts';
import type { Outcome } from '../outcome.ts';
import type { Tool } from '../tool.ts';
import { backdated } from './backdated.ts';
import { kills } from './kills.ts';
import { lateCommits } from './late-commits.ts';
import type { LateCommitsOptions } from './late-commits.ts';
import { microseconds } from './microseconds.ts';
import { ties } from './ties.ts';

/** How much of each test, from the command line. */
export interface Sizes {
  readonly seconds: number;
  readonly writers: number;
  readonly pauseMs: number;
  readonly rows: number;
  readonly kills: number;
}

export interface LossTest {
  readonly name: string;
  readonly summary: string;
  /** Stored with the result. */
  options(sizes: Sizes): Readonly<Record<string, number | readonly number[]>>;
  run(bench: Bench, tool: Tool, sizes: Sizes): Promise<Outcome>;
}

function lateTest(name: string, summary: string, held: Pick<LateCommitsOptions, 'holdMs' | 'longShare'>): LossTest {
  const options = ({ seconds, writers, pauseMs }: Sizes) => ({ seconds, writers, pauseMs, seedRows: 2000, ...held });
  return {
    name,
    summary,
    options,
    async run(bench, tool, sizes) {
      const [outcome] = await lateCommits(bench, [tool], options(sizes));
      if (outcome === undefined) throw new Error(`The test '${name}' gave no outcome.`);
      return outcome;
    },
  };
}

export const TESTS: readonly LossTest[] = [
  lateTest('late', 'transactions of 2 to 5 s beside quick ones, savepoints, rollbacks, two-phase commits', {
    holdMs: [2000, 5000],
    longShare: 0.05,
  }),
  lateTest('long', 'the same with transactions of 12 to 15 s, longer than the windows that are configured', {
    holdMs: [12_000, 15_000],
    longShare: 0.02,
  }),
  { name: 'ties', summary: 'thousands of rows with one stamp, and more with the same stamp later', options: () => ({}), run: ties },
  { name: 'microseconds', summary: 'stamps that are one microsecond apart', options: () => ({}), run: microseconds },
  {
    name: 'backdated',
    summary: 'stamps that lie an hour back, which is beyond what a cursor column promises',
    options: () => ({}),
    run: backdated,
  },
  {
    name: 'kills',
    summary: 'kill -9 at random instants of first loads and of increments, then the same command again',
    options: ({ rows, kills: count }) => ({ rows, kills: count }),
    run: kills,
  },
];
