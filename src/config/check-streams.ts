import { knownNames } from '../model/suggest.ts';
import { checkCron } from './check-schedule.ts';
import type { ConfigDocument, Finding } from './document.ts';
import type { JobPart, StreamPart } from './parts.ts';
import { valueAt } from './plain-data.ts';
import type { StreamConfig } from './stream-schema.ts';
import { matches, nameParts, parsePattern } from './stream-pattern.ts';
import { isTemplate, templateProblem } from './target-template.ts';

/** The name that a stream of the config goes by: `from`, or `to` for a query. `null` when it has neither. */
export function streamName(config: StreamConfig): string | null {
  return config.query === undefined ? (config.from ?? null) : (config.to ?? null);
}

export function isWildcard(config: StreamConfig): boolean {
  if (config.query !== undefined || config.from === undefined) return false;
  const pattern = parsePattern(config.from);
  return 'parts' in pattern && pattern.wildcard;
}

/** What is wrong with the streams of a job, each by itself and all together. */
export function checkStreams(job: JobPart, document: ConfigDocument): readonly Finding[] {
  const streams = job.streams.flatMap(({ config, path }) => (config === null ? [] : [{ config, path }]));
  return [...streams.flatMap((stream) => checkStream(stream, document)), ...duplicates(streams), ...checkAfter(job, streams)];
}

type Decoded = StreamPart & { readonly config: StreamConfig };

function checkStream({ config, path }: Decoded, document: ConfigDocument): readonly Finding[] {
  const findings: Finding[] = [];
  const add = (key: string, message: string, part: 'key' | 'value' = 'value'): void =>
    void findings.push({ path: [...path, key], part, message });
  // A member that did not decode is absent here; its own problem is known.
  const isWritten = (key: string): boolean => valueAt(document.written, [...path, key]) !== undefined;
  const { from, query, to, except, mapping, deletes, changes } = config;
  if (!isWritten('from') && !isWritten('query'))
    findings.push({ path, part: 'value', message: "'from' is missing: name a stream or a wildcard, or give a 'query'" });
  if (from !== undefined && query !== undefined)
    add('query', "'from' and 'query' exclude each other: a query names its stream with 'to'", 'key');
  if (query !== undefined && !isWritten('to')) add('query', "a query needs 'to', which names its stream and where it goes", 'key');
  if (query !== undefined && to !== undefined && isTemplate(to))
    add('to', 'placeholders have no meaning for a query: write the name itself');
  const fromPattern = from === undefined ? null : parsePattern(from);
  if (fromPattern !== null && 'problem' in fromPattern) add('from', `'from' ${fromPattern.problem}`);
  if (except.length > 0 && (from !== undefined || query !== undefined) && !isWildcard(config))
    add('except', "'except' belongs to a wildcard such as public.*, and 'from' is none", 'key');
  for (const [index, text] of except.entries()) {
    const pattern = parsePattern(text);
    if ('problem' in pattern)
      findings.push({ path: [...path, 'except', index], part: 'value', message: `the exception ${pattern.problem}` });
  }
  const template = to === undefined ? null : templateProblem(to);
  if (template !== null) add('to', template);
  if (typeof mapping === 'object' && document.kind === 'yaml')
    add('mapping', "'mapping' must be the path of a file; mappings inside the config are for trueup.config.ts");
  if (deletes !== undefined && deletes.when === undefined && deletes.compare === undefined)
    add('deletes', "'deletes' needs 'when', an expression that is true for deleted records, or 'compare'", 'key');
  findings.push(...checkCompare(config, path));
  if (changes?.field !== undefined && !['cursor', 'sequence'].includes(changes.by))
    findings.push({
      path: [...path, 'changes', 'field'],
      part: 'key',
      message: `'field' belongs to the methods cursor and sequence, not to ${changes.by}`,
    });
  if (new Set(config.key).size !== (config.key?.length ?? 0)) add('key', "'key' names a field twice");
  return findings;
}

function checkCompare({ deletes, changes, onDelete }: StreamConfig, path: Decoded['path']): readonly Finding[] {
  const compare = deletes?.compare;
  if (compare === undefined) return [];
  const at = [...path, 'deletes', 'compare'];
  const findings: Finding[] = [];
  if (compare.schedule !== undefined) findings.push(...checkCron(compare.schedule, [...at, 'schedule']));
  if (compare.schedule !== undefined && changes?.by === 'snapshot')
    findings.push({
      path: [...at, 'schedule'],
      part: 'key',
      message: "'schedule' has no meaning with changes by snapshot, which compares everything in every run",
    });
  if (onDelete === 'ignore')
    findings.push({
      path: at,
      part: 'key',
      message: "'compare' looks for records to delete, and 'onDelete: ignore' keeps them all. Leave one of the two out",
    });
  return findings;
}

function duplicates(streams: readonly Decoded[]): readonly Finding[] {
  const seen = new Set<string>();
  const targets = new Map<string, string>();
  return streams.flatMap(({ config, path }): Finding[] => {
    const name = streamName(config);
    if (name === null) return [];
    const findings: Finding[] = [];
    const same = nameParts(name).join('\0');
    if (seen.has(same))
      findings.push({
        path: [...path, config.query === undefined ? 'from' : 'to'],
        part: 'value',
        message: `stream '${name}' stands twice in this job. A stream has one entry; a second target belongs to a job of its own`,
      });
    seen.add(same);
    const other = config.to === undefined ? undefined : targets.get(config.to);
    if (config.to !== undefined && !isTemplate(config.to)) {
      if (other !== undefined && other !== name)
        findings.push({
          path: [...path, 'to'],
          part: 'value',
          message: `'${other}' and '${name}' would both be written to '${config.to}'`,
        });
      targets.set(config.to, name);
    }
    return findings;
  });
}

function checkAfter(job: JobPart, streams: readonly Decoded[]): readonly Finding[] {
  const names = streams.flatMap(({ config }) => streamName(config) ?? []);
  const patterns = names.flatMap((name) => [parsePattern(name)].filter((pattern) => 'parts' in pattern));
  const complete = names.length === job.streams.length;
  const unknown = streams.flatMap(({ config, path }) =>
    config.after.flatMap((name, index): Finding[] => {
      if (!complete || names.includes(name) || patterns.some((pattern) => matches(pattern, name))) return [];
      return [
        {
          path: [...path, 'after', index],
          part: 'value',
          message: `'after' names '${name}', which is no stream of this job.${knownNames(name, names, 'Streams')}`,
        },
      ];
    }),
  );
  return [...unknown, ...checkCycles(streams)];
}

/** Every cycle of `after` once, at the entry where it closes. */
function checkCycles(streams: readonly Decoded[]): readonly Finding[] {
  const byName = new Map(streams.map((stream) => [streamName(stream.config), stream]));
  const done = new Set<string>();
  const findings: Finding[] = [];
  const visit = (name: string, trail: readonly string[]): void => {
    const stream = byName.get(name);
    if (stream === undefined || done.has(name)) return;
    for (const [index, next] of stream.config.after.entries()) {
      const start = [...trail, name].indexOf(next);
      if (start >= 0)
        findings.push({
          path: [...stream.path, 'after', index],
          part: 'value',
          message: `'after' goes round in a circle: ${[...trail, name].slice(start).join(' → ')} → ${next}`,
        });
      else visit(next, [...trail, name]);
    }
    done.add(name);
  };
  for (const name of byName.keys()) if (name !== null) visit(name, []);
  return findings;
}
