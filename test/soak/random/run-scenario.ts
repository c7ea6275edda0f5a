import { setTimeout as sleep } from 'node:timers/promises';
import type { VerifyReport } from '../../../src/verify/verify-report.ts';
import { ranOf } from '../../end-to-end/scenario.ts';
import type { Ran } from '../../end-to-end/scenario.ts';
import { changeColumns } from './drift.ts';
import { FAULTS, UNDISTURBED } from './faults.ts';
import type { Fault } from './faults.ts';
import { createOracle } from './oracle.ts';
import type { Checked, Oracle } from './oracle.ts';
import { generatePlan } from './plan.ts';
import type { ScenarioPlan } from './plan.ts';
import { seeded } from './prng.ts';
import type { Random } from './prng.ts';
import { openRandomScenario } from './scenario.ts';
import type { RandomScenario, Servers } from './scenario.ts';
import { configText, mappingText, streamName } from './texts.ts';
import { startWorkload } from './workload.ts';
import type { Workload, WorkloadCounts } from './workload.ts';

/** What a scenario went through. */
export interface ScenarioReport {
  readonly seed: number;
  readonly tables: readonly string[];
  readonly work: WorkloadCounts;
  /** What happened to the runs, and how often. */
  readonly runs: Readonly<Record<string, number>>;
  readonly drift: number;
  readonly checks: number;
  /** At the end. */
  readonly rows: number;
  readonly extra: number;
  readonly letters: number;
  readonly seconds: number;
}

export interface ScenarioOptions {
  readonly seed: number;
  readonly servers: Servers;
  /** Faulted runs and checks, in this many rounds. */
  readonly rounds: number;
  /** Of the source; default: postgres. */
  readonly connector?: string;
}

interface Stage {
  readonly plan: ScenarioPlan;
  readonly scenario: RandomScenario;
  readonly work: Workload;
  readonly oracle: Oracle;
  readonly random: Random;
  readonly trace: string[];
  readonly runs: Record<string, number>;
  drift: number;
  checks: number;
}

/** @throws an Error that says what was wrong, what had happened before, and how to run this seed alone */
export async function runScenario({ seed, servers, rounds, connector }: ScenarioOptions): Promise<ScenarioReport> {
  const started = Date.now();
  const random = seeded(seed);
  const plan = generatePlan(seed, random.fork('plan'));
  const trace: string[] = [];
  await using scenario = await openRandomScenario({
    servers,
    plan,
    random: random.fork('rows'),
    ...(connector === undefined ? {} : { connector }),
  });
  const work = startWorkload(scenario.source.url, plan, random.fork('work'));
  const oracle = createOracle(plan, scenario.source.url, scenario.target.url);
  const stage: Stage = { plan, scenario, work, oracle, random: random.fork('stage'), trace, runs: {}, drift: 0, checks: 0 };
  try {
    for (let round = 0; round < rounds; round += 1) await roundOf(stage);
    const last = await quietEnd(stage);
    return {
      seed,
      tables: plan.tables.map(
        ({ name, method, mapping }) => `${name}: ${method.by} ${method.fieldType ?? ''}${mapping === null ? '' : ', mapped'}`,
      ),
      work: work.counts,
      runs: stage.runs,
      drift: stage.drift,
      checks: stage.checks,
      rows: sum(last, ({ rows }) => rows),
      extra: sum(last, ({ extra }) => extra),
      letters: sum(last, ({ faulty }) => faulty.length),
      seconds: Math.round((Date.now() - started) / 1000),
    };
  } catch (error) {
    throw new Error(storyOf(stage, error), { cause: error });
  } finally {
    await work.stop().catch((error: unknown) => trace.push(String(error)));
  }
}

const sum = <T>(items: readonly T[], of: (one: T) => number): number => items.reduce((total, one) => total + of(one), 0);

/** Faulted runs while everybody writes, perhaps other columns, then a run and a check while nobody commits. */
async function roundOf(stage: Stage): Promise<void> {
  const { random, work } = stage;
  work.resume();
  await sleep(random.int(50, 400));
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    const fault = random.weighted(FAULTS);
    const drifts = random.chance(0.35) && fault.stopsServer === undefined;
    const [ran] = await Promise.all([faultedRun(stage, fault), ...(drifts ? [changed(stage)] : [])]);
    note(stage, ran);
  }
  await work.pause();
  await checkedRun(stage);
  work.checked();
}

async function changed(stage: Stage): Promise<void> {
  const { scenario, plan, work, random, trace } = stage;
  const fork = random.fork(`drift ${stage.checks} ${stage.drift}`);
  // Open transactions would hold the table; a run of trueup that reads it must not.
  await work.drain();
  await sleep(fork.int(0, 1_200));
  const what = await changeColumns(scenario.source.url, plan, fork);
  work.resume();
  if (what === null) return;
  stage.drift += 1;
  trace.push(what);
}

async function faultedRun(stage: Stage, fault: Fault): Promise<string> {
  const { scenario, random } = stage;
  const args = ['run', '--json', ...(fault.args ?? [])];
  const own = random.fork(`${fault.name} ${stage.checks}`);
  const run = scenario.start(args, fault.options?.(own) ?? {});
  const { source, target } = scenario;
  const again = () => scenario.start(args).waitForExit(60_000);
  const isOwned = async () => {
    const { stdout } = await scenario.start(['status', 'all', '--json']).waitForExit(60_000);
    const { jobs } = JSON.parse(stdout) as { jobs: readonly { owner?: { live: boolean } }[] };
    return jobs[0]?.owner?.live === true;
  };
  const happening = fault.happen(run, { random: own, source, target, again, isOwned });
  const exit = await run.waitForExit(90_000);
  await happening;
  stage.runs[fault.name] = (stage.runs[fault.name] ?? 0) + 1;
  if (!fault.ends(exit))
    throw new Error(`a run with '${fault.name}' ended with ${exit.code ?? exit.signal}\n${exit.stdout}\n${exit.stderr}`);
  if (exit.signal === null) ranOf(exit); // The sums of every report.
  return `run (${fault.name}): ${exit.code ?? exit.signal}`;
}

/** Nobody commits from its begin to its end, so what it leaves behind is known to the row. */
async function checkedRun(stage: Stage): Promise<{ readonly ran: Ran; readonly checked: readonly Checked[] }> {
  const exit = await stage.scenario.start(['run', '--json']).waitForExit(90_000);
  if (!UNDISTURBED.ends(exit))
    throw new Error(`a run that nothing disturbed ended with ${exit.code ?? exit.signal}\n${exit.stdout}\n${exit.stderr}`);
  const ran = ranOf(exit);
  const checked = await stage.oracle.check();
  stage.checks += 1;
  note(stage, `run: ${exit.code}, then as computed: ${sum(checked, ({ rows }) => rows)} rows, ${sum(checked, ({ extra }) => extra)} extra`);
  await expectLetters(stage, checked);
  await expectVerified(stage, checked);
  return { ran, checked };
}

/** The project's own word on it must be the same. `verify` reads only, so it may be asked at any time. */
async function expectVerified({ scenario, plan, trace }: Stage, checked: readonly Checked[]): Promise<void> {
  const exit = await scenario.start(['verify', 'all', '--json']).waitForExit(90_000);
  if (exit.code !== 0 && exit.code !== 4) throw new Error(`verify ended with ${exit.code ?? exit.signal}\n${exit.stdout}\n${exit.stderr}`);
  const report = JSON.parse(exit.stdout) as VerifyReport;
  for (const { table, extra, kept } of checked) {
    const stream = report.streams.find((one) => one.stream === streamName(tableOf(plan, table)));
    if (stream === undefined) throw new Error(`verify says nothing of table ${table}: ${exit.stdout}`);
    const { missing, different, explained } = stream;
    const surplus = stream.extra + explained.kept;
    if (missing + different + explained.pending > 0 || surplus !== extra + kept)
      throw new Error(
        `table ${table}: everything is as computed, with ${extra} rows that the source does not have and ${kept} that are kept, but verify says ${exit.stdout}`,
      );
  }
  const extras = sum(report.streams, ({ extra }) => extra);
  if (report.consistent !== (extras === 0) || exit.code !== (extras === 0 ? 0 : 4))
    throw new Error(`verify is at odds with itself: exit ${exit.code}, ${exit.stdout}`);
  trace.push(`verify (${report.streams.map(({ by }) => by).join(', ')}): ${exit.code}`);
}

function tableOf(plan: ScenarioPlan, name: string): ScenarioPlan['tables'][number] {
  return plan.tables.find((table) => table.name === name) as ScenarioPlan['tables'][number];
}

/** A dead letter for every row that cannot be mapped. */
async function expectLetters({ scenario, plan }: Stage, checked: readonly Checked[]): Promise<void> {
  const faulty = checked.filter((one) => one.faulty.length > 0);
  if (faulty.length === 0) return;
  const exit = await scenario.start(['dead-letters', 'list', '--json']).waitForExit();
  const { letters } = JSON.parse(exit.stdout) as { letters: readonly { stream: string }[] };
  for (const { table, faulty: keys } of faulty) {
    const stream = streamName(tableOf(plan, table));
    const found = letters.filter((letter) => letter.stream === stream).length;
    if (found < keys.length) throw new Error(`table ${table}: ${keys.length} rows cannot be mapped, but there are ${found} dead letters`);
  }
}

/** Everything is over: the target is as computed, and a further run finds nothing to write. */
async function quietEnd(stage: Stage): Promise<readonly Checked[]> {
  await stage.work.drain();
  await checkedRun(stage);
  const { ran, checked } = await checkedRun(stage);
  const writes = ran.report.jobs.flatMap(({ streams }) => streams).filter(({ upserted, deleted }) => upserted + deleted > 0);
  if (writes.length > 0) throw new Error(`a run after everything was over still wrote: ${JSON.stringify(writes)}`);
  return checked;
}

function note({ trace }: Stage, what: string): void {
  trace.push(what);
}

function storyOf({ plan, trace, work }: Stage, error: unknown): string {
  const mappings = plan.tables.flatMap((table) => (table.mapping === null ? [] : [`# ${table.name}\n${mappingText(table)}`]));
  return [
    `seed ${plan.seed}: ${error instanceof Error ? error.message : String(error)}`,
    `Run it alone: SEED=${plan.seed} npm run soak -- random`,
    `What had happened:\n${trace.map((line) => `  ${line}`).join('\n')}`,
    `The work so far: ${JSON.stringify(work.counts)}`,
    configText(plan),
    ...mappings,
  ].join('\n\n');
}
