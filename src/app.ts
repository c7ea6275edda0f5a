import { dirname, join } from 'node:path';
import PQueue from 'p-queue';
import { embeddingSource } from './pipeline/embed/embedding-source.ts';
import { connectors as builtIn } from '../connectors/index.ts';
import type { App, AppOptions } from './api.ts';
import { createConnectorLoader } from './config/connectors.ts';
import { loadConfig } from './config/load-config.ts';
import { createReferenceResolver } from './config/references.ts';
import type { Job, ResolvedConfig } from './config/resolved.ts';
import { testMappings as testMappingFiles } from './config/test-mappings.ts';
import type { MappingTestReport } from './config/test-mappings.ts';
import { expandStreams } from './config/wildcards.ts';
import { breakersNow } from './breakers-now.ts';
import { createConnections } from './connections.ts';
import type { Connections } from './connections.ts';
import { TrueupError } from './errors.ts';
import type { RunRecord, StateStore } from './model/checkpoint.ts';
import type { Connector, ConnectorContext, Log } from './model/connector.ts';
import type { Json } from './model/json.ts';
import { createByteBudget } from './pipeline/read/byte-budget.ts';
import { changeCheckpoint } from './pipeline/change-checkpoint.ts';
import { combineExitCodes, statusOf } from './pipeline/report/exit-code.ts';
import { checkpointStore } from './pipeline/job-context.ts';
import type { JobContext, RunSignals } from './pipeline/job-context.ts';
import { delaysOf, statusOrFault } from './pipeline/report/job-status.ts';
import { dropKept, listKept } from './pipeline/kept.ts';
import type { NamedSource } from './pipeline/kept.ts';
import { applyPlan, refuseProblems } from './pipeline/plan/apply-plan.ts';
import { planJob } from './pipeline/plan/plan.ts';
import { jobPlanReport, planExitCode, sampleStream } from './pipeline/plan/plan-job-report.ts';
import type { PlanReport } from './pipeline/plan/plan-report.ts';
import { dropLetters, replayLetters } from './pipeline/letters/letter-commands.ts';
import type { JobReport, RunReport } from './pipeline/report/report.ts';
import type { ResumeOptions } from './pipeline/resume.ts';
import { runJob } from './pipeline/run-job.ts';
import type { JobRequest } from './pipeline/run-job.ts';
import { withTimeLimit } from './pipeline/stop.ts';
import { nextFireTime } from './scheduler/fire-time.ts';
import { isAlive, thisProcess } from './state/process-identity.ts';
import { runId } from './state/run-id.ts';
import { openSqliteState } from './state/sqlite-state.ts';
import { openSqliteVault } from './state/sqlite-vault.ts';
import type { Vault } from './model/vault.ts';
import { lastVerify, recordedStatus, withoutValues } from './verify/verify-record.ts';
import type { VerifyReport } from './verify/verify-report.ts';

/** Jobs of one command that run at the same time. */
const JOBS_AT_ONCE = 4;

/** Commands that move data, for the history of runs. */
const RUNS: readonly RunReport['command'][] = ['run', 'backfill', 'copy', 'replay'];

/**
 * Loads the config and builds everything that it names. Connects to nothing yet.
 *
 * @throws {TrueupError} of a config fault, with every problem in `details.diagnostics`
 */
export async function openApp(options: AppOptions): Promise<App> {
  const loadConnector = createConnectorLoader(builtIn);
  const loaded = await loadConfig({
    ...(options.configFile === undefined ? {} : { file: options.configFile }),
    ...(options.configText === undefined ? {} : { text: options.configText }),
    cwd: options.cwd,
    env: options.env,
    loadConnector,
  });
  const { config, diagnostics } = loaded;
  if (config === null) {
    const [first] = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
    throw new TrueupError(first?.code ?? 'E_CONFIG_INVALID', first?.message ?? 'the config cannot be used', { diagnostics });
  }
  const connectors = new Map<string, Connector>();
  for (const connection of config.connections.values()) {
    const found = await loadConnector(connection.connector, config.baseDir);
    if ('problem' in found) throw new TrueupError('E_CONNECTOR_UNKNOWN', found.problem);
    connectors.set(connection.name, found.connector);
  }
  return createApp({ config, connectors, state: await openState(config, options.log), options });
}

/** Runs the cases of mappings. Connects to nothing. `files`: mapping or case files; none: all that the config uses. */
export function testMappings(options: AppOptions, files: readonly string[]): Promise<MappingTestReport> {
  const { cwd, env, configFile } = options;
  return testMappingFiles(
    { cwd, env, ...(configFile === undefined ? {} : { configFile }), loadConnector: createConnectorLoader(builtIn) },
    files,
  );
}

interface Parts {
  readonly config: ResolvedConfig;
  /** By connection. */
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly state: StateStore;
  readonly options: AppOptions;
}

async function openState(config: ResolvedConfig, log: Log): Promise<StateStore> {
  if (config.state.startsWith('sqlite:')) return openSqliteState(config.state.slice('sqlite:'.length));
  const context: ConnectorContext = { connection: 'state', log, baseDir: config.baseDir };
  const connector = (await builtIn['postgres']?.())?.default;
  const opened = connector?.openState?.(connector.options.parse({ url: config.state }), context);
  if (opened === undefined) throw new TrueupError('E_BUG', 'the postgres connector keeps no state');
  return opened;
}

/** Beside the state file; with a state store that several machines share, beside the config: each machine has its own. */
function openVault({ state, baseDir }: ResolvedConfig): Vault {
  const file = state.startsWith('sqlite:') ? state.slice('sqlite:'.length) : '';
  const folder = file === '' || file === ':memory:' ? join(baseDir, '.trueup') : dirname(file);
  return openSqliteVault(join(folder, 'secrets.db'));
}

/** Of every connection that can be one, used by a job or not. */
function namedSources({ connectors }: Parts, connections: Connections): NamedSource[] {
  const able = [...connectors].filter(([, connector]) => connector.openSource !== undefined);
  return able.map(([connection]) => ({ connection, source: connections.source(connection) }));
}

function createApp(parts: Parts): App {
  const { config, state, options } = parts;
  const connections = createConnections({
    config,
    connectors: parts.connectors,
    breakers: state.breakers ?? null,
    log: options.log,
    vault: openVault(config),
  });
  const budget = createByteBudget(config.memoryBytes);
  const secrets = createReferenceResolver({ env: options.env, baseDir: config.baseDir });
  const process = thisProcess();

  const contextOf = (name: string): JobContext => {
    const job = jobNamed(config, name);
    return {
      job,
      source: embeddingSource(connections.source(job.source), secrets),
      target: connections.target(job.target),
      cursorVersion: connections.connector(job.source).cursorVersion,
      state,
      expand: expandStreams,
      enterFeed: (signal) => connections.enterFeed([job.source, job.target], signal),
      secrets,
      process,
      isAlive,
      budget,
      log: options.log,
      onEvent: options.onEvent ?? (() => {}),
      nextFireTime,
      now: Date.now,
      random: Math.random,
    };
  };

  /** Runs one job and keeps a record of it. */
  const runOne = async (command: RunReport['command'], name: string, request: Omit<JobRequest, 'run'>, run: string): Promise<JobReport> => {
    const record: RunRecord = { run, job: name, command, startedAt: new Date().toISOString(), status: 'running' };
    const signal = request.signals.abort;
    await state.runs.save(record, signal);
    const context = contextOf(name);
    const onEvent: JobContext['onEvent'] = (event) => {
      context.onEvent(event);
      // For `status`, as long as there is no report.
      if (event.kind === 'delays') void state.runs.save({ ...record, report: { delays: { ...event.delays } } }, signal).catch(() => {});
    };
    const report = await runJob({ ...context, onEvent }, { ...request, run });
    const { status, exitCode } = report;
    await keep({ ...record, endedAt: new Date().toISOString(), status, exitCode, report: toJson(report) });
    return report;
  };

  /** Told even when the run was aborted: its end is part of the history. */
  const keep = async (record: RunRecord): Promise<void> => {
    const late = AbortSignal.timeout(10_000);
    await state.runs.save(record, late);
    await state.runs.prune(config.keepRuns, late);
  };

  const runAll = async (
    command: RunReport['command'],
    names: readonly string[],
    request: (job: Job) => Omit<JobRequest, 'run'>,
  ): Promise<RunReport> => {
    const run = runId();
    const startedAt = Date.now();
    const queue = new PQueue({
      concurrency: names.some((name) => request(jobNamed(config, name)).follow) ? Number.POSITIVE_INFINITY : JOBS_AT_ONCE,
    });
    const jobs = await Promise.all(names.map((name) => queue.add(() => runOne(command, name, request(jobNamed(config, name)), run))));
    const exitCode = combineExitCodes(jobs.map((job) => job.exitCode));
    const endedAt = Date.now();
    const stopped = exitCode === 0 && jobs.some((job) => job.status === 'stopped');
    return {
      command,
      run,
      status: stopped ? 'stopped' : statusOf(exitCode),
      exitCode,
      startedAt: new Date(startedAt).toISOString(),
      endedAt: new Date(endedAt).toISOString(),
      durationMs: endedAt - startedAt,
      jobs,
    };
  };

  const requestOf = (
    job: Job,
    more: { readonly signals: RunSignals; readonly streams?: readonly string[]; readonly follow?: boolean } & Partial<ResumeOptions>,
  ): Omit<JobRequest, 'run'> => ({
    signals: more.signals,
    streams: more.streams ?? [],
    follow: more.follow ?? false,
    resume: { full: more.full ?? false, onChange: more.onChange ?? job.onChange, backfill: more.backfill ?? null },
  });

  return {
    config,
    discover: (connection, signal) => connections.source(connection).discover(signal),

    async plan({ jobs, apply = false, sample = 0 }, signal) {
      const reports: PlanReport['jobs'][number][] = [];
      const codes: number[] = [];
      for (const name of chosen(config, jobs)) {
        const context = contextOf(name);
        const plan = await planJob(context, signal);
        codes.push(planExitCode(plan));
        const samples = new Map<string, readonly Json[]>();
        if (sample > 0 && planExitCode(plan) === 0)
          for (const stream of plan.streams) samples.set(stream.name, await sampleStream(context, stream, sample, signal));
        if (apply) {
          refuseProblems(plan);
          // Asked for by name, so `ddl: manual` is no objection.
          await applyPlan({ ...context, job: { ...context.job, ddl: 'auto' } }, plan, signal);
        }
        reports.push(jobPlanReport(context, plan, samples));
      }
      return { command: 'plan', exitCode: combineExitCodes(codes), applied: apply, jobs: reports };
    },

    async run({ jobs, streams, full, follow, maxTimeMs, onChange }, signals) {
      const limited = withTimeLimit(signals, maxTimeMs);
      try {
        return await runAll('run', chosen(config, jobs), (job) =>
          requestOf(job, {
            signals: limited.signals,
            ...(streams === undefined ? {} : { streams }),
            ...(full === undefined ? {} : { full }),
            ...(follow === undefined ? {} : { follow }),
            ...(onChange === undefined ? {} : { onChange }),
          }),
        );
      } finally {
        limited.clear();
      }
    },

    backfill({ job, streams, restart = false, ...scope }, signals) {
      const entries = jobNamed(config, job).streams;
      if (
        (scope.from !== undefined || scope.to !== undefined || scope.where !== undefined) &&
        (streams ?? []).length !== 1 &&
        entries.length !== 1
      )
        throw new TrueupError('E_USAGE', `job '${job}' has several streams, and --from, --to and --where are meant for one`, {
          hint: 'Name it with --stream S.',
        });
      return runAll('backfill', [job], (of) =>
        requestOf(of, { signals, ...(streams === undefined ? {} : { streams }), backfill: { ...scope, restart } }),
      );
    },

    async start(signals) {
      const scheduled = [...config.jobs.values()].flatMap((job) =>
        job.schedule === null ? [] : [{ name: job.name, schedule: job.schedule }],
      );
      if (scheduled.length === 0)
        throw new TrueupError('E_CONFIG_INVALID', 'no job of the config has a schedule', {
          hint: 'Add `schedule: "*/5 * * * *"` or `schedule: continuous` to a job, or use `trueup run`.',
        });
      const { createScheduler } = await import('./scheduler/scheduler.ts');
      const scheduler = createScheduler({
        jobs: scheduled,
        runJob: (name, runSignals, { follow }) => runAll('run', [name], (job) => requestOf(job, { signals: runSignals, follow })),
        lastRunAt: async (name) => {
          const [last] = await state.runs.list({ job: name, commands: RUNS, limit: 1 }, signals.abort);
          return last === undefined ? null : new Date(last.startedAt);
        },
        concurrency: JOBS_AT_ONCE,
        log: options.log,
      });
      await scheduler.run(signals);
    },

    async status(job, signal) {
      const names = job === null ? [...config.jobs.keys()] : [jobNamed(config, job).name];
      return Promise.all(
        names.map(async (name) => {
          const [lastRun] = await state.runs.list({ job: name, commands: RUNS, limit: 1 }, signal);
          const [verified] = await state.runs.list({ job: name, commands: ['verify'], limit: 1 }, signal);
          const { schedule } = jobNamed(config, name);
          const nextRunAt = schedule?.kind === 'cron' ? nextFireTime(schedule.cron, schedule.timezone, new Date()).toISOString() : null;
          return {
            job: name,
            ...(nextRunAt === null ? {} : { nextRunAt }),
            ...(lastRun === undefined ? {} : { lastRun }),
            ...lastVerify(verified),
            ...delaysOf(lastRun),
            ...(await statusOrFault(contextOf(name), signal)),
          };
        }),
      );
    },

    async connectionStatus(job, signal) {
      const used = job === null ? null : jobNamed(config, job);
      const chosenOnes = [...config.connections.values()].filter(
        ({ name }) => used === null || name === used.source || name === used.target,
      );
      return breakersNow(chosenOnes, (await state.breakers?.list(signal)) ?? [], Date.now());
    },

    kept: (signal) => listKept(namedSources(parts, connections), [...config.jobs.keys()], signal),
    dropKept: (name, signal) => dropKept(namedSources(parts, connections), name, signal),

    checkpoints: (job, signal) => checkpointStore(contextOf(job)).list(job, signal),

    async changeCheckpoint({ job, feed, action }, signal) {
      return {
        job,
        ...(await changeCheckpoint(contextOf(job), { run: runId(), action, ...(feed === undefined ? {} : { feed }) }, signal)),
      };
    },

    async letters({ job, stream }, signal) {
      const names = job === undefined ? [...config.jobs.keys()] : [jobNamed(config, job).name];
      const stores = new Map(names.map((name) => [name, checkpointStore(contextOf(name))]));
      const lists = await Promise.all(
        [...stores].map(([name, store]) => store.letters({ job: name, ...(stream === undefined ? {} : { stream }) }, signal)),
      );
      return lists.flat();
    },

    replayLetters: (choice, signals) =>
      runAll('replay', [choice.job], (job) => ({ ...requestOf(job, { signals }), work: replayLetters(choice) })),
    dropLetters: (choice, signal) => dropLetters(contextOf(choice.job), choice, runId(), signal),

    async why({ job, ...question }, signal) {
      const { explainRecord } = await import('./verify/why.ts');
      return explainRecord(contextOf(job), question, signal);
    },

    async verify({ job, streams, repair, maxRepair, values, sinceMs, sampleShare }, signals) {
      const { verifyJob } = await import('./verify/verify-job.ts');
      const run = runId();
      const record: RunRecord = {
        run,
        job: jobNamed(config, job).name,
        command: 'verify',
        startedAt: new Date().toISOString(),
        status: 'running',
      };
      await state.runs.save(record, signals.abort);
      const report = await verifyJob({
        context: contextOf(job),
        run,
        signals,
        streams: streams ?? [],
        repair: repair ?? false,
        maxRepair: maxRepair ?? null,
        values: values ?? false,
        sinceMs: sinceMs ?? null,
        sampleShare: sampleShare ?? 1,
      });
      const { endedAt, exitCode } = report;
      await keep({ ...record, endedAt, exitCode, status: recordedStatus(report), report: toJson(withoutValues(report)) });
      return report;
    },

    async close() {
      await connections.close();
      await state.close();
    },
  };
}

function jobNamed(config: ResolvedConfig, name: string): Job {
  const job = config.jobs.get(name);
  if (job === undefined) throw new TrueupError('E_USAGE', `there is no job '${name}'. Jobs: ${[...config.jobs.keys()].join(', ')}`);
  return job;
}

function chosen(config: ResolvedConfig, names: readonly string[]): string[] {
  return names.length === 0 ? [...config.jobs.keys()] : names.map((name) => jobNamed(config, name).name);
}

/** The report as it is printed: what is absent is absent. */
function toJson(report: JobReport | VerifyReport): Json {
  return JSON.parse(JSON.stringify(report)) as Json;
}
