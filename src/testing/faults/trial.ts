import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../../model/json.ts';
import { startCommand } from './command.ts';
import type { Ended, Running } from './command.ts';
import { contentDifferences } from './content.ts';
import { faultText } from './fault-plan.ts';
import type { FaultPlan, PlannedFault } from './fault-plan.ts';
import { createFolder } from './folder.ts';
import type { Folder } from './folder.ts';
import type { Need, OpenPair, Pair } from './pair.ts';
import { reportProblems } from './printed-report.ts';
import { seeded } from './random.ts';
import { secondOpinion } from './second-opinion.ts';

export interface TrialOptions {
  readonly pair: Pair;
  readonly needs: readonly Need[];
  readonly seed: number;
  readonly records?: number;
  readonly batchRows?: number;
  /** Over `defaults` and over the job of the config. */
  readonly defaults?: Readonly<Record<string, Json>>;
  readonly job?: Readonly<Record<string, Json>>;
  /** How long the fault may go on choosing what else to try (ms). */
  readonly budgetMs?: number;
}

/** What happened in a trial, for the table. */
export interface TrialCounts {
  runs: number;
  /** Runs that were killed. */
  killed: number;
  /** Planned faults that came to pass. */
  faults: number;
  retries: number;
  /** Records in the source at the last comparison. */
  records: number;
  /** Record writes that the target counted, and the most that were to be; absent: it cannot count. */
  written?: number;
  writable?: number;
}

export interface RunOptions {
  readonly args?: readonly string[];
  readonly faults?: readonly PlannedFault[];
  /** At most so many of them, the first that are met. */
  readonly most?: number;
  readonly nodeArgs?: readonly string[];
  /** Whether it prints the report of a run. Default: true. */
  readonly isReport?: boolean;
}

/** One pair, one folder, one fault: runs commands, notes whatever is not as promised, and compares in the end. */
export interface Trial {
  readonly pair: OpenPair;
  readonly lacks: Pair['lacks'];
  readonly counts: TrialCounts;
  /** What was not kept, a line each. */
  readonly findings: string[];
  /** In [0, 1), from the seed. */
  random(): number;
  /** Whether there is time to try more. */
  hasTime(): boolean;
  start(options?: RunOptions): Running;
  /** Runs to the end. */
  run(options?: RunOptions): Promise<Ended>;
  /** Changes records of the source. */
  change(): Promise<void>;
  /** Records that may have to be written, beside what `change` says. */
  allow(records: number): void;
  /** Notes it when the command ended otherwise. `killed`: by SIGKILL. */
  expectEnd(ended: Ended, allowed: readonly (number | 'killed')[]): void;
  /** Notes it when what was written is more than what was to be. */
  expectWrites(): Promise<void>;
  /** One more run, which must succeed: then the content is equal, nothing was written twice, and a further run writes nothing. */
  settle(): Promise<void>;
  /** How the target differs now; nothing: it does not. */
  differences(): Promise<string[]>;
  close(): Promise<void>;
}

export const RUN = ['run', '--json', '--log-level', 'error'];

/** Opens the pair and fills it. */
export async function openTrial(options: TrialOptions): Promise<Trial> {
  const { records = 2_000, batchRows = 200, budgetMs = 30_000, defaults = {}, job = {} } = options;
  const pair = await options.pair.open(options.needs);
  try {
    await pair.seed(records);
    const folder = await createFolder({ pair, batchRows, defaults, job });
    return trialOf({ pair, folder, lacks: options.pair.lacks, seed: options.seed, records, until: performance.now() + budgetMs });
  } catch (error) {
    await pair.close();
    throw error;
  }
}

interface Parts {
  readonly pair: OpenPair;
  readonly folder: Folder;
  readonly lacks: Pair['lacks'];
  readonly seed: number;
  readonly records: number;
  readonly until: number;
}

function trialOf({ pair, folder, lacks, seed, records, until }: Parts): Trial {
  const counts: TrialCounts = { runs: 0, killed: 0, faults: 0, retries: 0, records };
  const findings: string[] = [];
  const running = new Set<Running>();
  let [changes, writable, exactlyOnce] = [0, records, true];
  const note = (ended: Ended): Ended => {
    if (noteEnd(ended, counts, findings) === 'weaker') exactlyOnce = false;
    return ended;
  };
  const trial: Trial = {
    pair,
    lacks,
    counts,
    findings,
    random: seeded(seed),
    hasTime: () => performance.now() < until,
    start(run = {}) {
      counts.runs += 1;
      const started = startRun(folder, counts.runs, run);
      running.add(started);
      const end = started.end.then(run.isReport === false ? (it) => it : note).finally(() => running.delete(started));
      return {
        ...started,
        end,
        get ended() {
          return started.ended;
        },
      };
    },
    run: (run) => trial.start(run).end,
    async change() {
      writable += await pair.change((changes += 1));
    },
    allow: (more) => void (writable += more),
    expectEnd(ended, allowed) {
      const finding = endProblem(ended, allowed);
      if (finding !== null) findings.push(finding);
    },
    async expectWrites() {
      const written = await pair.writes?.();
      if (written === undefined) return;
      Object.assign(counts, { written, writable });
      if (exactlyOnce && written > writable) findings.push(`${written} records were written to the target, where ${writable} were to be`);
    },
    async differences() {
      const [expected, actual] = [await pair.expected(), await pair.actual()];
      counts.records = expected.length;
      return contentDifferences(expected, actual);
    },
    settle: () => settle(trial),
    async close() {
      for (const one of running) one.kill('SIGKILL');
      await Promise.all([...running].map((one) => one.end));
      await pair.close();
      await folder.remove();
    },
  };
  return trial;
}

async function settle(trial: Trial): Promise<void> {
  const { pair, findings } = trial;
  trial.expectEnd(await trial.run(), [0]);
  findings.push(...(await trial.differences()));
  await trial.expectWrites();
  const before = await pair.writes?.();
  trial.expectEnd(await trial.run(), [0]);
  const after = await pair.writes?.();
  if (before !== after) findings.push(`a run after which nothing had changed wrote ${Number(after) - Number(before)} records`);
  if (trial.lacks.verify === undefined) findings.push(...(await secondOpinion((args) => trial.run({ args, isReport: false }))));
}

function startRun(folder: Folder, number: number, { args = RUN, faults = [], most, nodeArgs = [] }: RunOptions): Running {
  const steps = join(folder.path, `steps-${number}`);
  const plan: FaultPlan = { steps, faults, ...(most === undefined ? {} : { most }) };
  writeFileSync(folder.planFile, JSON.stringify(plan));
  return startCommand({ cwd: folder.path, args, steps, faults, nodeArgs });
}

/** Counts what a run came to, and finds what its report says that cannot be. `weaker`: its guarantee allows more writes than one per change. */
function noteEnd(ended: Ended, counts: TrialCounts, findings: string[]): 'exactly-once' | 'weaker' {
  counts.killed += ended.signal === 'SIGKILL' ? 1 : 0;
  counts.faults += ended.steps.filter((step) => step.faulty).length;
  const { report } = ended;
  if (report === null && ended.code !== null)
    findings.push(`${commandText(ended)} printed no report (exit ${ended.code}):\n${whyText(ended)}`);
  if (report === null) return 'exactly-once';
  for (const problem of reportProblems(report, ended.code)) findings.push(`${commandText(ended)}: ${problem}`);
  for (const { streams } of report.jobs) for (const stream of streams) counts.retries += stream.retries;
  return report.jobs.every(({ guarantee }) => (guarantee?.delivery ?? 'exactly-once-effect') === 'exactly-once-effect')
    ? 'exactly-once'
    : 'weaker';
}

function endProblem(ended: Ended, allowed: readonly (number | 'killed')[]): string | null {
  const how = ended.signal === 'SIGKILL' ? 'killed' : (ended.code ?? -1);
  if (allowed.includes(how)) return null;
  return `${commandText(ended)} ended with ${String(ended.signal ?? ended.code)}, not ${allowed.join(' or ')}:\n${whyText(ended)}`;
}

/** With the faults that came to pass, so that it can be tried again. */
export function commandText({ args, faults, steps }: Ended): string {
  const command = `trueup ${args.filter((arg) => !/^--(json|log-level)$|^error$/.test(arg)).join(' ')}`;
  const met = steps
    .filter((step) => step.faulty)
    .map(({ point, when, hit }) => {
      const planned = faults.find((fault) => fault.point === point && fault.when === when && (fault.hit === hit || fault.again === true));
      return planned === undefined ? '' : faultText({ ...planned, hit });
    });
  return met.length === 0 ? command : `${command} (${met.join('; ')})`;
}

/** Why it ended as it did: what the report says, else the end of what it printed. */
function whyText({ report, stdout, stderr }: Ended): string {
  const told = (report?.jobs ?? [])
    .flatMap((job) => [job, ...job.streams])
    .flatMap(({ error }) => (error === undefined ? [] : [`${error.code} ${error.message}`]));
  return told.length > 0 ? told.join('\n') : `${stdout.slice(-800)}\n${stderr.slice(-800)}`.trim();
}
