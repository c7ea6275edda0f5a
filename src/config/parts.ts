import { z } from 'zod';
import type { Diagnostic } from '../model/diagnostic.ts';
import { decode } from './decode.ts';
import { diagnose } from './document.ts';
import type { ConfigDocument } from './document.ts';
import { jobSchema } from './job-schema.ts';
import type { JobConfig } from './job-schema.ts';
import type { LimitsConfig } from './limits-schema.ts';
import { isRecord, valueAt } from './plain-data.ts';
import type { Path } from './plain-data.ts';
import { configSchema, connectionSchema, defaultsSchema, NAME_PATTERN, stateSchema } from './schema.ts';
import { streamSchema } from './stream-schema.ts';
import type { StreamConfig } from './stream-schema.ts';

/*
 * The config decoded part by part, so that a mistake in one part hides none in another. Of a part that does not decode the right members are
 * left for the checks, or `null` when one is missing; its problems are among the diagnostics.
 */

export interface ConnectionPart {
  readonly name: string;
  readonly path: Path;
  /** `null`: not decoded. */
  readonly connector: string | null;
  /** `null`: none are written. */
  readonly limits: LimitsConfig | null;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface StreamPart {
  readonly path: Path;
  readonly config: StreamConfig | null;
}

export interface JobPart {
  readonly name: string;
  readonly path: Path;
  readonly config: JobConfig | null;
  readonly streams: readonly StreamPart[];
}

export interface Parts {
  readonly defaults: z.output<typeof defaultsSchema> | null;
  /** As written; `null`: the default. */
  readonly state: string | null;
  readonly connections: readonly ConnectionPart[];
  readonly jobs: readonly JobPart[];
}

const anything = z.record(z.string(), z.unknown());
const topSchema = z.strictObject({
  ...configSchema.shape,
  connections: anything,
  jobs: anything.default({}),
  defaults: z.unknown().optional(),
  state: stateSchema.optional(),
});
const OWN_KEYS = new Set(Object.keys(connectionSchema.shape));

export function decodeParts(document: ConfigDocument): { readonly parts: Parts; readonly diagnostics: readonly Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const decoded = <S extends z.ZodType>(schema: S, path: Path): z.output<S> | null => {
    const result = decode(schema, document, path);
    diagnostics.push(...result.diagnostics);
    return result.value;
  };
  decoded(topSchema, []);
  const defaults = valueAt(document.data, ['defaults']) === undefined ? defaultsSchema.parse({}) : decoded(defaultsSchema, ['defaults']);
  const state = valueAt(document.data, ['state']);
  const connections = namesIn(document, 'connections', diagnostics).map((name) => connectionPart(document, name, decoded));
  const jobs = namesIn(document, 'jobs', diagnostics).map((name) => jobPart(document, name, decoded));
  return { parts: { defaults, state: typeof state === 'string' ? state : null, connections, jobs }, diagnostics };
}

type Decoder = <S extends z.ZodType>(schema: S, path: Path) => z.output<S> | null;

function namesIn(document: ConfigDocument, section: 'connections' | 'jobs', diagnostics: Diagnostic[]): readonly string[] {
  const members = valueAt(document.data, [section]);
  const names = isRecord(members) ? Object.keys(members) : [];
  for (const name of names.filter((one) => !NAME_PATTERN.test(one))) {
    const message = `'${name.slice(0, 80)}' is no valid name in '${section}': letters, digits, - and _, at most 63, beginning with a letter or a digit`;
    diagnostics.push(diagnose(document, { path: [section, name], part: 'key', message }));
  }
  return names;
}

function connectionPart(document: ConfigDocument, name: string, decoded: Decoder): ConnectionPart {
  const path = ['connections', name];
  const value = decoded(connectionSchema, path);
  const written = valueAt(document.data, path);
  const options = isRecord(written) ? Object.entries(written).filter(([key]) => !OWN_KEYS.has(key)) : [];
  const connector = value?.connector ?? valueAt(document.data, [...path, 'connector']);
  return {
    name,
    path,
    connector: typeof connector === 'string' && connector !== '' ? connector : null,
    limits: value?.limits ?? null,
    options: Object.fromEntries(options),
  };
}

function jobPart(document: ConfigDocument, name: string, decoded: Decoder): JobPart {
  const path = ['jobs', name];
  const config = decoded(jobSchema, path);
  const streams = valueAt(document.data, [...path, 'streams']);
  const count = Array.isArray(streams) ? streams.length : 0;
  return {
    name,
    path,
    config,
    streams: Array.from({ length: count }, (_, index) => {
      const at = [...path, 'streams', index];
      return { path: at, config: decoded(streamSchema, at) };
    }),
  };
}
