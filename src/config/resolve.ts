import { resolve as resolvePath } from 'node:path';
import type { Job, MappingSource, Schedule, StreamEntry } from '../model/job.ts';
import { streamName } from './check-streams.ts';
import type { ConfigDocument } from './document.ts';
import type { JobConfig } from './job-schema.ts';
import type { JobPart, Parts, StreamPart } from './parts.ts';
import { pathKey } from './plain-data.ts';
import type { Connection, ResolvedConfig } from './resolved.ts';
import type { StreamConfig } from './stream-schema.ts';

type Defaults = NonNullable<Parts['defaults']>;

interface Resolving {
  readonly parts: Parts;
  readonly document: ConfigDocument;
  readonly connections: readonly Connection[];
  readonly mappings: ReadonlyMap<string, MappingSource>;
  readonly secrets: ReadonlySet<string>;
}

/** Puts the parts together, every default filled in. Called only when nothing is wrong with them. */
export function resolveConfig({ parts, document, connections, mappings, secrets }: Resolving): ResolvedConfig {
  const defaults = parts.defaults as Defaults;
  const streams = (job: JobPart): StreamEntry[] =>
    job.streams.map((part) => streamEntry(part, document, mappings.get(pathKey(part.path)) ?? null));
  return {
    file: document.file,
    baseDir: document.baseDir,
    state: statePlace(parts.state, document.baseDir),
    connections: new Map(connections.map((connection) => [connection.name, connection])),
    jobs: new Map(parts.jobs.map((job) => [job.name, resolveJob(job.name, job.config as JobConfig, { defaults, streams: streams(job) })])),
    memoryBytes: defaults.memory,
    shutdownGraceMs: defaults.shutdownGrace,
    keepRuns: defaults.keepRuns,
    secrets,
  };
}

function statePlace(state: string | null, baseDir: string): string {
  if (state === null) return `sqlite:${resolvePath(baseDir, '.trueup', 'state.db')}`;
  return state.startsWith('sqlite:') ? `sqlite:${resolvePath(baseDir, state.slice('sqlite:'.length))}` : state;
}

function resolveJob(
  name: string,
  config: JobConfig,
  { defaults, streams }: { readonly defaults: Defaults; readonly streams: readonly StreamEntry[] },
): Job {
  return {
    name,
    source: config.source,
    target: config.target,
    schedule: resolveSchedule(config.schedule, defaults.timezone),
    streams,
    batch: defaults.batch,
    maxRecordBytes: defaults.maxRecordBytes,
    onLoss: defaults.onLoss,
    timezone: defaults.timezone,
    require: withoutUndefined(config.require),
    retries: { attempts: config.retries.attempts, maxDelayMs: config.retries.maxDelay },
    deadLetters: config.deadLetters,
    checkpoints: config.checkpoints ?? null,
    ddl: config.ddl,
    concurrency: config.concurrency,
    onChange: config.onChange,
    onLostPosition: config.onLostPosition,
    maxDelayMs: config.maxDelay,
  };
}

function resolveSchedule(schedule: JobConfig['schedule'], timezone: string): Schedule | null {
  if (schedule === undefined) return null;
  if (schedule === 'continuous') return { kind: 'continuous' };
  if (typeof schedule === 'string') return { kind: 'cron', cron: schedule, timezone, overlap: 'skip', misfire: 'once', jitterMs: 0 };
  const { cron, overlap, misfire, jitter } = schedule;
  return { kind: 'cron', cron, timezone: schedule.timezone ?? timezone, overlap, misfire, jitterMs: jitter };
}

function streamEntry(part: StreamPart, document: ConfigDocument, mapping: MappingSource | null): StreamEntry {
  const config = part.config as StreamConfig;
  const named = config.query === undefined ? 'from' : 'query';
  return {
    from: streamName(config) as string,
    query: config.query ?? null,
    except: config.except,
    to: config.to ?? null,
    changes: config.changes === undefined ? null : (withoutUndefined(config.changes) as NonNullable<StreamEntry['changes']>),
    key: config.key ?? null,
    mapping,
    lookbackMs: config.lookback ?? null,
    deletes: deletesEntry(config.deletes),
    onDelete: config.onDelete,
    onExit: config.onExit,
    where: config.where ?? null,
    guard: config.guard ?? null,
    partitions: config.backfill.partitions,
    drift: config.drift,
    after: config.after,
    at: { file: document.shownAs, ...document.at([...part.path, named], 'value') },
  };
}

function deletesEntry(deletes: StreamConfig['deletes']): StreamEntry['deletes'] {
  if (deletes === undefined) return null;
  const { when, compare } = deletes;
  return {
    when: when ?? null,
    compare:
      compare === undefined ? null : { schedule: compare.schedule ?? null, scope: compare.scope ?? null, maxShare: compare.maxShare },
  };
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
