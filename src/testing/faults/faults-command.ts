import { parseArgs } from 'node:util';
import { FAIL_POINTS } from './fail-points.ts';
import { FAULTS } from './faults.ts';
import type { Pair } from './pair.ts';
import { runFaults } from './run-faults.ts';
import type { FaultOutcome } from './run-faults.ts';
import { outcomeCounts, outcomeTable, outcomeText } from './table.ts';

const HELP = `Tries every fault on every pair, and says whether what trueup promises was kept.

  --list            the pairs, the faults and the fail points
  --pair TEXT       only pairs whose name holds this text; may be repeated
  --fault NAME      only this fault; may be repeated
  --seed N          the choices of an earlier run
  --patience X      how long faults go on choosing what else to try: 0.2 for a short look, 5 for a long one (default 1)
  --jobs N          trials at the same time (default 2)
  --json            one JSON document instead of text
`;

export interface FaultsCommandOptions {
  readonly args: readonly string[];
  readonly pairs: readonly Pair[];
  /** Where text goes: standard output. */
  write(text: string): void;
}

/** A command line around the kit. @returns the exit code: 0 when everything that was tried was kept, 1 when not, 2 for a mistake in `args` */
export async function faultsCommand({ args, pairs, write }: FaultsCommandOptions): Promise<number> {
  const asked = parse(args);
  if (typeof asked === 'string') {
    write(`${asked}\n\n${HELP}`);
    return 2;
  }
  if (asked.help) return (write(HELP), 0);
  if (asked.list) return (write(listText(pairs)), 0);
  const chosen = pairs.filter(({ name }) => asked.pair.length === 0 || asked.pair.some((text) => name.includes(text)));
  const faults = FAULTS.filter(({ name }) => asked.fault.length === 0 || asked.fault.includes(name));
  if (chosen.length === 0 || faults.length === 0) {
    write(`Nothing to try. Pairs: ${pairs.map(({ name }) => name).join(', ')}. Faults: ${FAULTS.map(({ name }) => name).join(', ')}.\n`);
    return 2;
  }
  const tell = (outcome: FaultOutcome): void => (asked.json ? undefined : write(`${outcomeText(outcome)}\n`));
  if (!asked.json) write(`seed ${asked.seed}: ${counted(faults.length, 'fault')} on ${counted(chosen.length, 'pair')}\n`);
  const outcomes = await runFaults({
    pairs: chosen,
    faults,
    seed: asked.seed,
    patience: asked.patience,
    concurrency: asked.jobs,
    onStart: tellStart,
    onOutcome: tell,
  });
  const counts = outcomeCounts(outcomes);
  if (asked.json) write(`${JSON.stringify({ seed: asked.seed, ...counts, outcomes }, null, 2)}\n`);
  else write(`\n${outcomeTable(outcomes)}\n\n${countsText(counts, asked.seed)}\n`);
  return counts.notKept === 0 ? 0 : 1;
}

/** A trial may take minutes: whoever waits at a terminal sees which ones are at work. */
function tellStart({ pair, fault }: { readonly pair: string; readonly fault: string }): void {
  if (process.stderr.isTTY) process.stderr.write(`… ${fault}, ${pair}\n`);
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

interface Asked {
  readonly help: boolean;
  readonly list: boolean;
  readonly json: boolean;
  readonly pair: readonly string[];
  readonly fault: readonly string[];
  readonly seed: number;
  readonly patience: number;
  readonly jobs: number;
}

/** What was asked for, or what is wrong with it. */
function parse(args: readonly string[]): Asked | string {
  try {
    const text = { type: 'string' } as const;
    const flag = { type: 'boolean', default: false } as const;
    const several = { type: 'string', multiple: true, default: [] as string[] } as const;
    const { values } = parseArgs({
      args: [...args],
      options: { help: flag, list: flag, json: flag, pair: several, fault: several, seed: text, patience: text, jobs: text },
    });
    const [seed, patience, jobs] = [
      Number(values.seed ?? Math.trunc(Math.random() * 1_000_000)),
      Number(values.patience ?? 1),
      Number(values.jobs ?? 2),
    ];
    const unknown = values.fault.find((name) => !FAULTS.some((fault) => fault.name === name));
    if (unknown !== undefined) return `There is no fault '${unknown}'. Faults: ${FAULTS.map(({ name }) => name).join(', ')}.`;
    if (!Number.isInteger(seed)) return `--seed takes a whole number, got '${values.seed}'.`;
    if (!(patience >= 0)) return `--patience takes a number from 0 on, got '${values.patience}'.`;
    if (!Number.isInteger(jobs) || jobs < 1) return `--jobs takes a whole number from 1 on, got '${values.jobs}'.`;
    return { ...values, seed, patience, jobs };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function listText(pairs: readonly Pair[]): string {
  const names = pairs.map(({ name }) => `  ${name}`);
  const faults = FAULTS.map(
    ({ name, summary, needs }) => `  ${name.padEnd(18)} ${summary}${needs.length === 0 ? '' : ` (needs ${needs.join(', ')})`}`,
  );
  const points = Object.entries(FAIL_POINTS).map(([point, what]) => `  ${point.padEnd(22)} ${what}`);
  return `Pairs:\n${names.join('\n')}\n\nFaults:\n${faults.join('\n')}\n\nFail points, each before and after:\n${points.join('\n')}\n`;
}

function countsText({ kept, notKept, absent, runs, killed, faults }: ReturnType<typeof outcomeCounts>, seed: number): string {
  return `seed ${seed}: ${kept + notKept} tried, ${kept} kept, ${notKept} not kept; ${absent} not tried, for want of what they need. ${runs} runs, ${killed} killed, ${faults} faults.`;
}
