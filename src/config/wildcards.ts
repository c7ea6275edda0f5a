import type { ErrorCode } from '../errors.ts';
import type { StreamInfo } from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { StreamEntry } from '../model/job.ts';
import { knownNames } from '../model/suggest.ts';
import { matches, nameParts, parsePattern } from './stream-pattern.ts';
import type { StreamPattern } from './stream-pattern.ts';
import { fillTemplate } from './target-template.ts';

/** One stream of the source that an entry stands for. `target: null`: the connector's own default for the name. */
export interface ExpandedStream {
  readonly entry: StreamEntry;
  readonly info: StreamInfo;
  readonly target: string | null;
}

export interface Expansion {
  readonly streams: readonly ExpandedStream[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Which streams of the source the entries of a job stand for, in the order of the entries. A stream named by itself beats every wildcard.
 * Wildcards leave views out, which have no key; a view is synced when it is named. An error: a name that is not there, a wildcard that
 * matches nothing, a stream that two wildcards match, two streams with one target.
 */
export function expandStreams(entries: readonly StreamEntry[], infos: readonly StreamInfo[]): Expansion {
  const diagnostics: Diagnostic[] = [];
  const patterns = entries.map((entry) => (entry.query === null ? parsePattern(entry.from) : null));
  const isWildcard = (index: number): boolean => isPattern(patterns[index]) && patterns[index].wildcard;
  const named = new Map<string, StreamEntry>();
  const streams = entries.map((entry, index) => (isWildcard(index) ? [] : namedStream(entry, infos, diagnostics)));
  for (const { entry, info } of streams.flat()) named.set(info.name, entry);

  const taken = new Map<string, StreamEntry>();
  for (const [index, entry] of entries.entries()) {
    if (isWildcard(index))
      streams[index] = wildcardStreams({ entry, pattern: patterns[index] as StreamPattern, infos, named, taken }, diagnostics);
  }
  const all = streams.flat();
  diagnostics.push(...sharedTargets(all));
  return { streams: all, diagnostics };
}

function isPattern(pattern: ReturnType<typeof parsePattern> | null | undefined): pattern is StreamPattern {
  return pattern !== null && pattern !== undefined && 'parts' in pattern;
}

function namedStream(entry: StreamEntry, infos: readonly StreamInfo[], diagnostics: Diagnostic[]): ExpandedStream[] {
  const wanted = nameParts(entry.from).join('\0');
  const info = infos.find((one) => one.name === entry.from) ?? infos.find((one) => nameParts(one.name).join('\0') === wanted);
  if (info === undefined) {
    diagnostics.push(
      problem(
        entry,
        'E_STREAM_UNKNOWN',
        `the source has no stream '${entry.from}'.${knownNames(entry.from, namesOf(infos), 'Streams')}${withSchema(entry.from, infos)}`,
      ),
    );
    return [];
  }
  return withTarget(entry, info, diagnostics);
}

/** `orders` is far from `public.orders` in letters, but most likely what was meant. */
function withSchema(name: string, infos: readonly StreamInfo[]): string {
  const full = infos.map((info) => info.name).filter((known) => nameParts(known).at(-1) === name);
  return full.length === 0 ? '' : ` Did you mean '${full[0]}'?`;
}

interface Wildcard {
  readonly entry: StreamEntry;
  readonly pattern: StreamPattern;
  readonly infos: readonly StreamInfo[];
  readonly named: ReadonlyMap<string, StreamEntry>;
  /** Streams of earlier wildcards; this one adds its own. */
  readonly taken: Map<string, StreamEntry>;
}

function wildcardStreams({ entry, pattern, infos, named, taken }: Wildcard, diagnostics: Diagnostic[]): ExpandedStream[] {
  const exceptions = entry.except.map((text) => ({ text, pattern: parsePattern(text) }));
  for (const { text, pattern: exception } of exceptions) {
    if (isPattern(exception) && infos.some((info) => matches(exception, info.name))) continue;
    diagnostics.push(
      problem(
        entry,
        'E_STREAM_UNKNOWN',
        `except: '${text}' matches no stream of the source.${knownNames(text, namesOf(infos), 'Streams')}`,
        'warning',
      ),
    );
  }
  const matching = infos.filter((info) => info.kind !== 'view' && info.kind !== 'query' && matches(pattern, info.name));
  const found = matching.filter((info) => !exceptions.some((one) => isPattern(one.pattern) && matches(one.pattern, info.name)));
  if (found.length === 0) {
    const left = matching.length === 0 ? '' : ` but for what 'except' leaves out (${matching.map((info) => info.name).join(', ')})`;
    diagnostics.push(
      problem(
        entry,
        'E_STREAM_UNKNOWN',
        `'${entry.from}' matches no stream of the source${left}.${knownNames(entry.from, namesOf(infos), 'Streams')}`,
      ),
    );
  }
  const own = found.filter((info) => !named.has(info.name));
  for (const info of own) {
    const other = taken.get(info.name);
    if (other !== undefined)
      diagnostics.push(
        problem(
          entry,
          'E_CONFIG_INVALID',
          `'${info.name}' is matched by '${other.from}' and by '${entry.from}'. Name it by itself, or leave it out of one with 'except'.`,
        ),
      );
    taken.set(info.name, entry);
  }
  return own.flatMap((info) => withTarget(entry, info, diagnostics));
}

function withTarget(entry: StreamEntry, info: StreamInfo, diagnostics: Diagnostic[]): ExpandedStream[] {
  const target = entry.to === null ? null : fillTemplate(entry.to, info.plainName ?? info.name);
  if (entry.to === null || target !== null) return [{ entry, info, target }];
  diagnostics.push(problem(entry, 'E_CONFIG_INVALID', `to: '${entry.to}' wants a schema, but stream '${info.name}' has none.`));
  return [];
}

function sharedTargets(streams: readonly ExpandedStream[]): Diagnostic[] {
  const first = new Map<string, ExpandedStream>();
  const diagnostics: Diagnostic[] = [];
  for (const stream of streams) {
    if (stream.target === null) continue;
    const other = first.get(stream.target);
    if (other === undefined) first.set(stream.target, stream);
    else
      diagnostics.push(
        problem(
          stream.entry,
          'E_CONFIG_INVALID',
          `'${other.info.name}' and '${stream.info.name}' would both be written to '${stream.target}'. Give each its own 'to'${stream.entry.from.includes('*') ? ", for example with '{table}'" : ''}.`,
        ),
      );
  }
  return diagnostics;
}

function namesOf(infos: readonly StreamInfo[]): string[] {
  return infos.map((info) => info.name).sort();
}

function problem(entry: StreamEntry, code: ErrorCode, message: string, severity: 'error' | 'warning' = 'error'): Diagnostic {
  return { ...entry.at, code, message, severity };
}
