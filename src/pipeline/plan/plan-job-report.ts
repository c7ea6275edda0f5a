import { ERROR_CODES } from '../../errors.ts';
import { compileMapping } from '../../mapping/compile.ts';
import type { MappingPlan } from '../../mapping/plan.ts';
import { cellToJson } from '../../model/cell-json.ts';
import type { ChangeSpec, TargetStreamPlan } from '../../model/contracts.ts';
import type { Feed } from '../../model/feed.ts';
import type { Json } from '../../model/json.ts';
import { typeText } from '../../model/logical-type.ts';
import { decodedCell } from '../../model/records.ts';
import { keyNames } from '../../model/shape.ts';
import type { ChildTable } from './child-tables.ts';
import { combineExitCodes } from '../report/exit-code.ts';
import { checkpointMode } from '../job-context.ts';
import type { JobContext } from '../job-context.ts';
import { planErrors } from './plan.ts';
import type { JobPlan, PlannedStream } from './plan.ts';
import type { FieldPlanReport, JobPlanReport, StreamPlanReport } from './plan-report.ts';

/** What `plan` tells about one job. `samples`: mapped records by stream. */
export function jobPlanReport(context: JobContext, plan: JobPlan, samples: ReadonlyMap<string, readonly Json[]>): JobPlanReport {
  return {
    job: context.job.name,
    checkpoints: checkpointMode(context),
    ...(plan.guarantee === null ? {} : { guarantee: plan.guarantee }),
    streams: plan.streams.map((stream) => streamPlanReport(stream, samples.get(stream.name))),
    problems: plan.problems,
  };
}

/** 0, or the exit code of the gravest problem that would prevent a run. */
export function planExitCode(plan: JobPlan): number {
  return combineExitCodes(
    planErrors(plan).map(({ code }) => (ERROR_CODES[code].fault === 'limit' ? 5 : ERROR_CODES[code].fault === 'access' ? 7 : 2)),
  );
}

function streamPlanReport(stream: PlannedStream, sample: readonly Json[] | undefined): StreamPlanReport {
  const { mapping, ref, sourcePlan, target, targetPlan } = stream;
  return {
    stream: stream.name,
    target: target.target,
    changes: changesText(ref.changes),
    key: ref.key,
    form: stream.form,
    fields: fieldReports(mapping, targetPlan, stream.embeds),
    ...(stream.children.length === 0 ? {} : { children: stream.children.map(childReport) }),
    ...embedsReport(stream),
    statements: [
      sourcePlan,
      ...stream.embeds.map((embed) => embed.sourcePlan),
      targetPlan,
      ...stream.children.map((child) => child.targetPlan),
    ].flatMap((one) => one.statements),
    problems: stream.problems,
    guarantee: stream.guarantee,
    ...(sourcePlan.rowEstimate === undefined ? {} : { rowEstimate: sourcePlan.rowEstimate }),
    ...(sample === undefined ? {} : { sample }),
  };
}

function childReport({ plan, target, targetPlan }: ChildTable): NonNullable<StreamPlanReport['children']>[number] {
  return { target: target.target, key: keyNames(target.shape), fields: fieldReports(plan.mapping, targetPlan) };
}

function fieldReports(mapping: MappingPlan, { fields }: TargetStreamPlan, embeds: PlannedStream['embeds'] = []): FieldPlanReport[] {
  return fields.map((field, index) => ({
    from: embeddedStream(embeds, mapping.sources[index] ?? []) ?? fromText(mapping, index),
    to: field.name,
    type: typeText(mapping.shape.fields[index]?.type ?? 'unknown'),
    targetType: field.targetType,
    ...(field.loss === undefined ? {} : { loss: field.loss }),
  }));
}

/** Of what lies inside of an element the whole way: an element as such says nothing. */
function fromText({ fields, sources }: MappingPlan, index: number): string {
  const plan = fields[index];
  const inside = plan !== undefined && 'path' in plan ? plan.path.map((part) => `.${part}`).join('') : '';
  return `${(sources[index] ?? []).join(', ')}${inside}`;
}

function changesText({ by, field }: ChangeSpec): string {
  return field === undefined ? by : `${by} ${field}`;
}

/** The stream behind a field that holds children. */
function embeddedStream(embeds: PlannedStream['embeds'], [name]: readonly string[]): string | undefined {
  return embeds.find(({ embed }) => embed.field.name === name)?.embed.ref.name;
}

function embedsReport({ embeds }: PlannedStream): Pick<StreamPlanReport, 'embeds'> {
  if (embeds.length === 0) return {};
  return {
    embeds: embeds.map(({ name, embed: { ref, on } }) => ({
      name,
      stream: ref.name,
      changes: changesText(ref.changes),
      on: Object.fromEntries(on.map(({ child, parent }) => [child, parent])),
    })),
  };
}

/** The first records of a stream as the mapping makes them, field by name; a record that it refuses shows the reason. */
export async function sampleStream(context: JobContext, stream: PlannedStream, count: number, signal: AbortSignal): Promise<Json[]> {
  const { source } = context;
  const feed: Feed | undefined = (await source.splitBackfill?.(stream.ref, 1, signal))?.[0] ?? source.feeds([stream.ref])[0];
  if (feed === undefined) return [];
  const { shape } = stream.sourcePlan;
  const mapper = compileMapping(stream.mapping, shape, (text) => context.secrets(text));
  const enough = new AbortController();
  const request = {
    feed,
    streams: [stream.ref],
    after: null,
    forms: new Map(),
    batchRows: count,
    batchBytes: context.job.batch.bytes,
    until: 'chunk',
    signal: AbortSignal.any([signal, enough.signal]),
  } as const;
  const out: Json[] = [];
  for await (const batch of source.fetchChanges(request)) {
    const { batch: mapped, rejected } = mapper.map(batch, { exits: false });
    for (const { code, message } of rejected) out.push({ error: `[${code}] ${message}` });
    for (const row of mapped.records.rows()) {
      out.push(
        Object.fromEntries(
          mapped.shape.fields.map((field, index) => [field.name, cellToJson(field.type, decodedCell(mapped.records, row, index))]),
        ),
      );
    }
    if (out.length >= count) break;
  }
  enough.abort();
  return out.slice(0, count);
}
