import { ERROR_CODES } from '../errors.ts';
import { compileMapping } from '../mapping/compile.ts';
import { cellToJson } from '../model/cell-json.ts';
import type { Feed } from '../model/feed.ts';
import type { Json } from '../model/json.ts';
import { typeText } from '../model/logical-type.ts';
import { decodedCell } from '../model/records.ts';
import { combineExitCodes } from './exit-code.ts';
import { checkpointMode } from './job-context.ts';
import type { JobContext } from './job-context.ts';
import { planErrors } from './plan.ts';
import type { JobPlan, PlannedStream } from './plan.ts';
import type { JobPlanReport, StreamPlanReport } from './plan-report.ts';

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
  const { changes } = ref;
  return {
    stream: stream.name,
    target: target.target,
    changes: changes.field === undefined ? changes.by : `${changes.by} ${changes.field}`,
    key: ref.key,
    form: 'cells',
    fields: targetPlan.fields.map((field, index) => ({
      from: (mapping.sources[index] ?? []).join(', '),
      to: field.name,
      type: typeText(mapping.shape.fields[index]?.type ?? 'unknown'),
      targetType: field.targetType,
      ...(field.loss === undefined ? {} : { loss: field.loss }),
    })),
    statements: [...sourcePlan.statements, ...targetPlan.statements],
    problems: stream.problems,
    guarantee: stream.guarantee,
    ...(sourcePlan.rowEstimate === undefined ? {} : { rowEstimate: sourcePlan.rowEstimate }),
    ...(sample === undefined ? {} : { sample }),
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
