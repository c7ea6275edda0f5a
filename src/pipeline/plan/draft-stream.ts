import { embeddedFields } from '../../mapping/check-embed.ts';
import { checkMapping } from '../../mapping/check.ts';
import { parseMapping } from '../../mapping/parse.ts';
import type { MappingPlan } from '../../mapping/plan.ts';
import type { ChangeSpec, StreamInfo, StreamRef, TargetStream } from '../../model/contracts.ts';
import type { StreamEntry } from '../../model/job.ts';
import { fieldIndex, keyNames } from '../../model/shape.ts';
import type { Shape } from '../../model/shape.ts';
import { chooseChanges, fieldList, problemAt } from './choose-changes.ts';
import { checkedEmbeds, embedsOf, withEmbedded } from '../embed/plan-embeds.ts';
import type { Embed } from '../embed/embed-ref.ts';
import type { ExpandedStream, JobContext } from '../job-context.ts';
import { fromDiagnostic } from './plan-problem.ts';
import type { PlanProblem } from './plan-report.ts';
import type { Draft } from './planned-stream.ts';

/** What the config and the mapping say of a stream. Problems go with it; with one of them an error, there is no draft. */
export function draftStream(
  context: JobContext,
  expanded: ExpandedStream,
  infos: readonly StreamInfo[],
): { readonly draft: Draft | null; readonly problems: readonly PlanProblem[] } {
  const { entry, info } = expanded;
  const problems: PlanProblem[] = [];
  const shape = keyedShape(entry, info, context.job.source, problems);
  if (shape.fields.length === 0) return { draft: null, problems };
  const changes = chooseChanges(entry, info, problems);
  const mapped = changes === null ? null : mapStream(context, { expanded, shape, changes, infos, problems });
  if (changes === null || mapped === null || problems.some((problem) => problem.severity === 'error')) return { draft: null, problems };
  const { mapping, embeds } = mapped;
  const ref: StreamRef = withEmbedded(embeds, shape, {
    name: info.name,
    job: context.job.name,
    ...(entry.query === null ? {} : { query: entry.query }),
    changes,
    key: keyNames(shape),
    fields: mapping.reads,
    except: mapping.except,
    ...(entry.lookbackMs === null ? {} : { lookbackMs: entry.lookbackMs }),
    maxRecordBytes: context.job.maxRecordBytes,
  });
  const target: TargetStream = {
    stream: info.name,
    target: expanded.target ?? context.target.nameFor?.(info.plainName ?? info.name) ?? info.plainName ?? info.name,
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
    const message =
      info.unreadable === undefined
        ? `no field of source stream '${info.name}' may be read: the role of connection '${connection}' lacks the privilege to select from it`
        : `no field of source stream '${info.name}' can be read: ${info.unreadable}`;
    const code = info.unreadable === undefined ? 'E_ACCESS' : 'E_STREAM_UNKNOWN';
    // A wildcard means what there is to read; a stream that is named is meant.
    problems.push({
      ...problemAt(entry, code, message),
      severity: entry.from === info.name || entry.query !== null ? 'error' : 'warning',
    });
    return info.shape;
  }
  if (entry.key === null) {
    if (info.shape.key.length === 0)
      problems.push(
        problemAt(
          entry,
          'E_STREAM_KEY',
          `stream '${info.name}' has no primary key and no unique NOT NULL columns. ${keyAdvice(entry, info)}`,
        ),
      );
    return info.shape;
  }
  const key = entry.key.map((name) => fieldIndex(info.shape, name));
  const unknown = entry.key.filter((_name, index) => key[index] === -1);
  for (const name of unknown)
    problems.push(
      problemAt(
        entry,
        'E_STREAM_UNKNOWN',
        `key: '${name}' is not a field of source stream '${info.name}'. Fields: ${fieldList(info.shape)}`,
      ),
    );
  return { ...info.shape, key: key.filter((index) => index >= 0) };
}

/** A wildcard has no place to name a key for one of its streams. */
function keyAdvice(entry: StreamEntry, info: StreamInfo): string {
  if (entry.from === info.name || entry.query !== null) return `Name unique columns with 'key: [...]'`;
  return `Leave it out with 'except: ["${info.name}"]', or give it an entry of its own with 'key: [...]'`;
}

interface MappingWork {
  readonly expanded: ExpandedStream;
  readonly shape: Shape;
  readonly changes: ChangeSpec;
  readonly infos: readonly StreamInfo[];
  readonly problems: PlanProblem[];
}

function mapStream(
  context: JobContext,
  { expanded: { entry, info }, shape, changes, infos, problems }: MappingWork,
): { readonly mapping: MappingPlan; readonly embeds: readonly Embed[] } | null {
  const parsed = entry.mapping === null ? { mapping: null, diagnostics: [] } : parseMapping(entry.mapping);
  problems.push(...parsed.diagnostics.map(fromDiagnostic));
  if (entry.mapping !== null && parsed.mapping === null) return null;
  if (shape.key.length === 0) return null;
  const deletesWhen = entry.deletes?.when ?? null;
  const children = checkedEmbeds(context, { mapping: parsed.mapping, stream: info.name, shape, infos });
  problems.push(...children.diagnostics.map(fromDiagnostic));
  const checked = checkMapping({
    mapping: parsed.mapping,
    stream: info.name,
    source: shape,
    secrets: (text) => context.secrets(text),
    timezone: context.job.timezone,
    onLoss: context.job.onLoss,
    ...(entry.where === null ? {} : { where: entry.where }),
    ...(deletesWhen === null ? {} : { deletesWhen }),
    onExit: entry.onExit,
    embedded: embeddedFields(children.embeds, context.job.onLoss),
    at: entry.at,
  });
  problems.push(...checked.diagnostics.map(fromDiagnostic));
  if (checked.plan === null) return null;
  return {
    mapping: checked.plan,
    embeds: embedsOf(context, { checked: children.embeds, entry, within: [info.name], changes, infos }, problems),
  };
}
