import { parseArgs } from 'node:util';

export interface Options {
  readonly help: boolean;
  readonly list: boolean;
  /** Writes docs/performance.md from what was measured last, and measures nothing. */
  readonly report: boolean;
  readonly quick: boolean;
  /** Names of cases; empty: all. */
  readonly cases: readonly string[];
  readonly rows: number;
  readonly rounds: number;
}

export const HELP = `npm run bench -- [options]

Measures trueup beside what the databases can do alone, in turn, on servers of its own, and writes bench/results/speed-*.json.

  --case NAME    one case (repeatable); --list names them
  --rows N       rows of the narrow table (1000000)
  --rounds N     rounds of each case (3)
  --quick        100000 rows, one round, the PostgreSQL cases that matter most, and what moved since the results on disk; writes nothing
  --report       writes the table and the charts of docs/performance.md from the results on disk
  --list         the cases
`;

/** What `--quick` looks at. */
export const QUICK_CASES = ['first-load', 'mapped-load', 'changed-10', 'idle', 'verify'];

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      list: { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      case: { type: 'string', multiple: true, default: [] },
      rows: { type: 'string' },
      rounds: { type: 'string' },
    },
  });
  const { help, list, report, quick, case: cases } = values;
  return {
    help,
    list,
    report,
    quick,
    cases: cases.length === 0 && quick ? QUICK_CASES : cases,
    rows: whole('rows', values.rows, quick ? 100_000 : 1_000_000),
    rounds: whole('rounds', values.rounds, quick ? 1 : 3),
  };
}

function whole(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1 on, got '${text}'`);
  return value;
}
