import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import memory, { dropMemoryDatabase, memoryDatabase } from '../../connectors/memory/index.ts';
import type { MemoryDatabase } from '../../connectors/memory/index.ts';
import { expandStreams } from '../../src/config/wildcards.ts';
import type { StateStore } from '../../src/model/checkpoint.ts';
import type { Lane, Source, Target } from '../../src/model/contracts.ts';
import type { Job, StreamEntry } from '../../src/model/job.ts';
import type { Shape } from '../../src/model/shape.ts';
import { createByteBudget } from '../../src/pipeline/read/byte-budget.ts';
import type { RunEvent } from '../../src/pipeline/report/events.ts';
import type { JobContext } from '../../src/pipeline/job-context.ts';
import type { JobReport } from '../../src/pipeline/report/report.ts';
import type { ResumeOptions } from '../../src/pipeline/resume.ts';
import { runJob } from '../../src/pipeline/run-job.ts';
import { nextFireTime } from '../../src/scheduler/fire-time.ts';
import { isAlive, thisProcess } from '../../src/state/process-identity.ts';
import { openMemoryState } from '../../src/state/sqlite-state.ts';
import { expectSums } from '../end-to-end/scenario.ts';

export const ITEMS: Shape = {
  fields: [
    { name: 'id', type: 'int32', nullable: false },
    { name: 'name', type: 'text', nullable: true },
    { name: 'at', type: 'int64', nullable: true },
  ],
  key: [0],
  open: false,
};

export interface MemoryJob {
  readonly source: MemoryDatabase;
  readonly target: MemoryDatabase;
  readonly state: StateStore;
  readonly events: RunEvent[];
  /** What the job runs with, for what does something else with it. */
  context(): JobContext;
  /** Runs the job once; the sums of every stream are checked. */
  run(options?: RunMemoryOptions): Promise<JobReport>;
}

export interface RunMemoryOptions {
  readonly resume?: Partial<ResumeOptions>;
  readonly streams?: readonly string[];
  readonly follow?: boolean;
  readonly stop?: AbortSignal;
  readonly abort?: AbortSignal;
}

/** Read anew by every run, so that a test may change them in between. */
export interface MemoryJobOptions {
  readonly job?: Partial<Job>;
  readonly streams?: readonly (Partial<StreamEntry> & { readonly from: string })[];
  /** Puts something between the pipeline and the connector: a fault, a count. */
  wrapSource?(source: Source): Source;
  wrapTarget?(target: Target): Target;
  enterFeed?(): Promise<() => void>;
  onEvent?(event: RunEvent): void;
  now?(): number;
}

export function openMemoryJob(options: MemoryJobOptions = {}): MemoryJob {
  const names = { source: `source-${randomUUID()}`, target: `target-${randomUUID()}` };
  onTestFinished(() => Object.values(names).forEach(dropMemoryDatabase));
  const opened = { connection: 'test', baseDir: '/', log: SILENT };
  const state = openMemoryState();
  const events: RunEvent[] = [];
  const context = (): JobContext => {
    const source = memory.openSource!({ database: names.source }, opened);
    const target = memory.openTarget!({ database: names.target }, opened);
    return {
      job: jobOf(options),
      source: options.wrapSource?.(source) ?? source,
      target: options.wrapTarget?.(target) ?? target,
      cursorVersion: memory.cursorVersion,
      state,
      enterFeed: options.enterFeed ?? (() => Promise.resolve(() => {})),
      expand: expandStreams,
      secrets: (text) => text,
      process: thisProcess(),
      isAlive,
      budget: createByteBudget(64 * 1024 * 1024),
      log: SILENT,
      onEvent: (event) => {
        events.push(event);
        options.onEvent?.(event);
      },
      nextFireTime,
      now: options.now ?? Date.now,
      random: () => 0,
    };
  };
  return {
    source: memoryDatabase(names.source),
    target: memoryDatabase(names.target),
    state,
    events,
    context,
    async run(run = {}) {
      const jobContext = context();
      const never = new AbortController().signal;
      const report = await runJob(jobContext, {
        run: randomUUID(),
        signals: { stop: run.stop ?? never, abort: run.abort ?? never },
        streams: run.streams ?? [],
        follow: run.follow ?? false,
        resume: { full: false, onChange: 'stop', backfill: null, ...run.resume },
      });
      for (const stream of report.streams) expectSums(stream);
      return report;
    },
  };
}

/** A target whose lanes `change` wraps. */
export function withLane(target: Target, change: (lane: Lane) => Lane): Target {
  return { ...target, openLane: async (open, signal) => change(await target.openLane(open, signal)) };
}

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function jobOf({ job, streams = [{ from: 'items' }] }: MemoryJobOptions): Job {
  return {
    name: 'job',
    source: 'source',
    target: 'target',
    schedule: null,
    batch: { rows: 100, bytes: 1_000_000 },
    maxRecordBytes: 1_000_000,
    onLoss: 'error',
    timezone: 'UTC',
    require: {},
    retries: { attempts: 3, maxDelayMs: 5 },
    deadLetters: { stopAfter: 100, stopShare: 0.01 },
    checkpoints: null,
    ddl: 'auto',
    concurrency: 4,
    onChange: 'stop',
    onLostPosition: 'stop',
    maxDelayMs: 50,
    ...job,
    streams: streams.map((entry) => ({
      query: null,
      except: [],
      to: null,
      changes: { by: 'cursor', field: 'at' },
      key: null,
      mapping: null,
      lookbackMs: null,
      deletes: null,
      onDelete: 'delete',
      onExit: 'delete',
      where: null,
      guard: null,
      partitions: 3,
      drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
      after: [],
      at: { file: 'trueup.yaml', line: 1, column: 1 },
      ...entry,
    })),
  };
}
