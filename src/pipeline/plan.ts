import type { ErrorCode } from '../errors.ts';
import { checkMapping } from '../mapping/check.ts';
import { parseMapping } from '../mapping/parse.ts';
import type { MappingPlan } from '../mapping/plan.ts';
import type {
  ChangeSpec,
  Problem,
  SourcePlan,
  SourceStreamPlan,
  StreamInfo,
  StreamRef,
  TargetPlan,
  TargetStream,
  TargetStreamPlan,
} from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Guarantee } from '../model/guarantee.ts';
import type { StreamEntry } from '../model/job.ts';
import { fieldIndex, keyNames } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { streamGuarantee, unmetRequirements, weakestGuarantee } from './guarantee.ts';
import { checkpointMode } from './job-context.ts';
import type { ExpandedStream, JobContext } from './job-context.ts';
import { planHash } from './plan-hash.ts';
import type { PlanProblem } from './plan-report.ts';

/** One stream from source to target, decided. */
export interface PlannedStream {
  readonly name: string;
  readonly entry: StreamEntry;
  readonly info: StreamInfo;
  readonly ref: StreamRef;
  readonly mapping: MappingPlan;
  readonly target: TargetStream;
  readonly hash: string;
  readonly sourcePlan: SourceStreamPlan;
  readonly targetPlan: TargetStreamPlan;
  readonly guarantee: Guarantee;
  /** Streams of the same job that are written before it. */
  readonly after: readonly string[];
  readonly problems: readonly PlanProblem[];
}

export interface JobPlan {
  readonly streams: readonly PlannedStream[];
  readonly source: SourcePlan;
  readonly target: TargetPlan;
  readonly guarantee: Guarantee | null;
  /** Problems of the job and of streams that did not get as far as being planned. */
  readonly problems: readonly PlanProblem[];
}

/** A stream whose mapping stands; source and target have not been asked yet. */
interface Draft {
  readonly entry: StreamEntry;
  readonly info: StreamInfo;
  readonly ref: StreamRef;
  readonly mapping: MappingPlan;
  readonly target: TargetStream;
}

/**
 * Decides everything that a run of the job needs, and reads only. What is wrong is in `problems`, all of it; what cannot be reached is thrown.
 *
 * @param only names of source streams; absent: all
 */
export async function planJob(context: JobContext, signal: AbortSignal, only?: readonly string[]): Promise<JobPlan> {
  const { job, source, target } = context;
  const queries = job.streams.flatMap((entry) => (entry.query === null ? [] : [{ name: entry.from, query: entry.query }]));
  const infos = await source.discover(signal, queries);
  const expanded = context.expand(job.streams, infos);
  const problems: PlanProblem[] = expanded.diagnostics.map(fromDiagnostic);
  const drafts: Draft[] = [];
  for (const stream of expanded.streams) {
    if (only !== undefined && !only.includes(stream.info.name)) continue;
    const draft = draftStream(context, stream);
    problems.push(...draft.problems);
    if (draft.draft !== null) drafts.push(draft.draft);
  }
  const sourcePlan = await source.plan(
    drafts.map((draft) => draft.ref),
    signal,
  );
  const targetPlan = await target.plan(
    drafts.map((draft) => draft.target),
    signal,
  );
  if (checkpointMode(context) !== 'state') problems.push(...(targetPlan.checkpointProblems ?? []).map((problem) => ({ ...problem })));
  const streams = drafts.flatMap((draft) => finishStream(context, draft, sourcePlan, targetPlan));
  return {
    streams,
    source: sourcePlan,
    target: targetPlan,
    guarantee: weakestGuarantee(streams.map((stream) => stream.guarantee)),
    problems,
  };
}

/** The problems that prevent a run, of the job and of every stream. */
export function planErrors(plan: JobPlan): PlanProblem[] {
  return [...plan.problems, ...plan.streams.flatMap((stream) => stream.problems)].filter((problem) => problem.severity === 'error');
}

function draftStream(
  context: JobContext,
  expanded: ExpandedStream,
): { readonly draft: Draft | null; readonly problems: readonly PlanProblem[] } {
  const { entry, info } = expanded;
  const problems: PlanProblem[] = [];
  const shape = keyedShape(entry, info, context.job.source, problems);
  if (shape.fields.length === 0) return { draft: null, problems };
  const changes = chooseChanges(entry, info, problems);
  const mapping = mapStream(context, expanded, shape, problems);
  if (changes === null || mapping === null || problems.some((problem) => problem.severity === 'error')) return { draft: null, problems };
  const ref: StreamRef = {
    name: info.name,
    ...(entry.query === null ? {} : { query: entry.query }),
    changes,
    key: keyNames(shape),
    fields: mapping.reads,
    except: mapping.except,
    ...(entry.lookbackMs === null ? {} : { lookbackMs: entry.lookbackMs }),
    maxRecordBytes: context.job.maxRecordBytes,
  };
  const target: TargetStream = {
    stream: info.name,
    target: expanded.target ?? context.target.nameFor?.(info.name) ?? info.name,
    shape: mapping.shape,
    ...(entry.guard === null ? {} : { guard: entry.guard }),
    onDelete: entry.onDelete,
    drift: entry.drift,
    onLoss: mapping.onLoss,
  };
  return { draft: { entry, info, ref, mapping, target }, problems };
}

/** The stream's shape with the key that the job names, or its own. */
function keyedShape(entry: StreamEntry, info: StreamInfo, connection: string, problems: PlanProblem[]): Shape {
  if (info.shape.fields.length === 0) {
    const message = `no field of source stream '${info.name}' may be read: the role of connection '${connection}' lacks the privilege to select from it`;
    // A wildcard means what there is to read; a stream that is named is meant.
    problems.push({ ...at(entry, 'E_ACCESS', message), severity: entry.from === info.name || entry.query !== null ? 'error' : 'warning' });
    return info.shape;
  }
  if (entry.key === null) {
    if (info.shape.key.length === 0)
      problems.push(
        at(entry, 'E_STREAM_KEY', `stream '${info.name}' has no primary key and no unique NOT NULL columns. ${keyAdvice(entry, info)}`),
      );
    return info.shape;
  }
  const key = entry.key.map((name) => fieldIndex(info.shape, name));
  const unknown = entry.key.filter((_name, index) => key[index] === -1);
  for (const name of unknown)
    problems.push(
      at(entry, 'E_STREAM_UNKNOWN', `key: '${name}' is not a field of source stream '${info.name}'. Fields: ${fieldList(info.shape)}`),
    );
  return { ...info.shape, key: key.filter((index) => index >= 0) };
}

/** A wildcard has no place to name a key for one of its streams. */
function keyAdvice(entry: StreamEntry, info: StreamInfo): string {
  if (entry.from === info.name || entry.query !== null) return `Name unique columns with 'key: [...]'`;
  return `Leave it out with 'except: ["${info.name}"]', or give it an entry of its own with 'key: [...]'`;
}

function chooseChanges(entry: StreamEntry, info: StreamInfo, problems: PlanProblem[]): ChangeSpec | null {
  const offered = info.changes.map((one) => one.by);
  if (entry.changes === null) {
    const best = info.changes[0];
    if (best === undefined) {
      problems.push(
        at(
          entry,
          'E_CHANGES_UNSUPPORTED',
          `the source offers no change method for stream '${info.name}'. Name one with 'changes: { by: …, field: … }'`,
        ),
      );
      return null;
    }
    const field = best.fields?.[0];
    return field === undefined ? { by: best.by } : { by: best.by, field };
  }
  const { by, field } = entry.changes;
  const offer = info.changes.find((one) => one.by === by);
  if (field !== undefined && fieldIndex(info.shape, field) === -1) {
    problems.push(
      at(entry, 'E_STREAM_UNKNOWN', `changes: '${field}' is not a field of source stream '${info.name}'. Fields: ${fieldList(info.shape)}`),
    );
    return null;
  }
  // A named field is the user's word: the source checks it in its own plan. Without one, or for another method, it must be on offer.
  if (offer === undefined && !(field !== undefined && (by === 'cursor' || by === 'sequence'))) {
    problems.push(
      at(
        entry,
        'E_CHANGES_UNSUPPORTED',
        `the source cannot deliver changes of '${info.name}' by '${by}'. It offers: ${offered.join(', ') || 'none'}`,
      ),
    );
    return null;
  }
  if (field !== undefined) return { by, field };
  const best = offer?.fields?.[0];
  return best === undefined ? { by } : { by, field: best };
}

function mapStream(context: JobContext, { entry, info }: ExpandedStream, shape: Shape, problems: PlanProblem[]): MappingPlan | null {
  const parsed = entry.mapping === null ? { mapping: null, diagnostics: [] } : parseMapping(entry.mapping);
  problems.push(...parsed.diagnostics.map(fromDiagnostic));
  if (entry.mapping !== null && parsed.mapping === null) return null;
  if (shape.key.length === 0) return null;
  const checked = checkMapping({
    mapping: parsed.mapping,
    stream: info.name,
    source: shape,
    secrets: (text) => context.secrets(text),
    timezone: context.job.timezone,
    onLoss: context.job.onLoss,
    ...(entry.where === null ? {} : { where: entry.where }),
    ...(entry.deletes === null ? {} : { deletesWhen: entry.deletes.when }),
    onExit: entry.onExit,
    at: entry.at,
  });
  problems.push(...checked.diagnostics.map(fromDiagnostic));
  return checked.plan;
}

function finishStream(context: JobContext, draft: Draft, sourcePlan: SourcePlan, targetPlan: TargetPlan): PlannedStream[] {
  const { entry, info, mapping, ref, target } = draft;
  const ofSource = sourcePlan.streams.find((one) => one.stream === info.name);
  const ofTarget = targetPlan.streams.find((one) => one.stream === info.name);
  if (ofSource === undefined || ofTarget === undefined) return [];
  const guarantee = streamGuarantee({
    source: ofSource.guarantee,
    checkpoints: checkpointMode(context),
    guarded: entry.guard !== null,
    softDelete: entry.deletes?.when ?? null,
    losses: ofTarget.fields.some((field) => field.loss !== undefined) || mapping.onLoss.some((policy) => policy !== 'error'),
  });
  const unmet = unmetRequirements(guarantee, context.job.require).map((text) => at(entry, 'E_REQUIRE', `stream '${info.name}': ${text}`));
  const problems = [...ofSource.problems, ...ofTarget.problems].map((problem) => fromProblem(entry, problem));
  const hash = planHash({
    mapping: mapping.hashInput,
    key: ref.key,
    changes: ref.changes,
    where: entry.where,
    deletesWhen: entry.deletes?.when ?? null,
    query: entry.query,
  });
  const after = [...new Set([...entry.after, ...ofTarget.dependsOn])].filter((name) => name !== info.name);
  return [
    {
      name: info.name,
      entry,
      info,
      ref,
      mapping,
      target,
      hash,
      sourcePlan: ofSource,
      targetPlan: ofTarget,
      guarantee,
      after,
      problems: [...problems, ...unmet],
    },
  ];
}

function fieldList(shape: Shape): string {
  return shape.fields.map((field) => field.name).join(', ');
}

function at(entry: StreamEntry, code: ErrorCode, message: string): PlanProblem {
  return { severity: 'error', code, message, ...entry.at };
}

function fromProblem(entry: StreamEntry, problem: Problem): PlanProblem {
  return { ...problem, ...entry.at };
}

function fromDiagnostic({ severity, code, message, file, line, column }: Diagnostic): PlanProblem {
  return { severity, code, message, file, line, column };
}
