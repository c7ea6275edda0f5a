import type { CheckpointStore, OwnerProcess } from '../model/checkpoint.ts';
import type { Log } from '../model/connector.ts';
import type { Source, StreamInfo, Target } from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Job, StreamEntry } from '../model/job.ts';
import type { ByteBudget } from './read/byte-budget.ts';
import type { OnEvent } from './report/events.ts';

/** One stream of the source that an entry of the config stands for. */
export interface ExpandedStream {
  readonly entry: StreamEntry;
  readonly info: StreamInfo;
  /** `null`: the target's own default for the name. */
  readonly target: string | null;
}

/** Everything that a job runs with. The composition root fills it in; nothing here is looked up again. */
export interface JobContext {
  readonly job: Job;
  readonly source: Source;
  readonly target: Target;
  /** Of the source's connector. */
  readonly cursorVersion: number;
  /** Where checkpoints go when the target does not keep them. */
  readonly state: CheckpointStore;
  /** Which streams the entries stand for. */
  expand(
    entries: readonly StreamEntry[],
    infos: readonly StreamInfo[],
  ): { readonly streams: readonly ExpandedStream[]; readonly diagnostics: readonly Diagnostic[] };
  /** Waits until source and target may carry one more feed, where their connections are limited; what it gives ends that. */
  enterFeed(signal: AbortSignal): Promise<() => void>;
  /** Resolves `${NAME}` and `${file:PATH}` in a mapping. */
  secrets(text: string): string;
  readonly process: OwnerProcess;
  isAlive(process: OwnerProcess): boolean;
  readonly budget: ByteBudget;
  readonly log: Log;
  readonly onEvent: OnEvent;
  /** The first turn of a cron schedule strictly after an instant. */
  nextFireTime(cron: string, timezone: string, after: Date): Date;
  /** Milliseconds since 1970. */
  now(): number;
  /** In [0, 1). */
  random(): number;
}

/** The two signals of a run: reading stops at once, writing only after the grace time. */
export interface RunSignals {
  readonly stop: AbortSignal;
  readonly abort: AbortSignal;
}

export function checkpointMode(context: JobContext): 'atomic' | 'beside' | 'state' {
  const own = context.target.checkpoints;
  const wanted = context.job.checkpoints;
  if (wanted === 'state' || own === undefined) return 'state';
  if (own.atomic === 'on-request') return wanted ?? 'beside';
  return own.atomic && wanted !== 'beside' ? 'atomic' : 'beside';
}

/** Where this job's lease, checkpoints and letters are. */
export function checkpointStore(context: JobContext): CheckpointStore {
  return checkpointMode(context) === 'state' ? context.state : (context.target.checkpoints as CheckpointStore);
}
