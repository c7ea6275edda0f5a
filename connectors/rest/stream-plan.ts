import { TrueupError, parseExactJson, parseType } from '../../src/sdk.ts';
import type { ExactJson, LogicalType } from '../../src/sdk.ts';
import type { Endpoint } from './endpoint.ts';
import { parsePath } from './json-path.ts';
import type { JsonPath } from './json-path.ts';
import type { RestOptions, RestStream } from './options.ts';
import type { FieldPlace } from './record-row.ts';
import { namesIn, namesInPath } from './template.ts';

/** A stream of the config, read once. */
export interface StreamPlan {
  readonly name: string;
  readonly declared: RestStream;
  readonly endpoint: Endpoint;
  readonly records: JsonPath;
  readonly errors: JsonPath | null;
  readonly parent: StreamPlan | null;
  /** Fields of the parent that its endpoint and its own fields need. */
  readonly parentFields: readonly string[];
  /** Declared fields; `null`: samples tell. */
  readonly fields: readonly FieldPlace[] | null;
}

/** @throws {TrueupError} `E_STREAM_UNKNOWN` with the names there are */
export function planOf(plans: ReadonlyMap<string, StreamPlan>, name: string): StreamPlan {
  const plan = plans.get(name);
  if (plan === undefined)
    throw new TrueupError('E_STREAM_UNKNOWN', `There is no stream '${name}'. Streams: ${[...plans.keys()].join(', ')}.`);
  return plan;
}

/** @throws {TrueupError} `E_CONFIG_INVALID` for parents that are not there, or that have each other as parents */
export function planStreams({ streams, headers }: RestOptions): ReadonlyMap<string, StreamPlan> {
  const plans = new Map<string, StreamPlan>();
  const make = (name: string, below: readonly string[]): StreamPlan => {
    const made = plans.get(name);
    if (made !== undefined) return made;
    const declared = streams[name];
    const child = below.at(-1) ?? '';
    if (declared === undefined)
      throw new TrueupError(
        'E_CONFIG_INVALID',
        `stream '${child}': its parent '${name}' is no stream of the connection. Streams: ${Object.keys(streams).join(', ')}`,
      );
    if (below.includes(name))
      throw new TrueupError('E_CONFIG_INVALID', `streams ${[...below, name].join(' → ')} have each other as parents`);
    const parent = declared.parent === undefined ? null : make(declared.parent.stream, [...below, name]);
    const plan = planStream(name, declared, { parent, headers });
    plans.set(name, plan);
    return plan;
  };
  for (const name of Object.keys(streams)) make(name, []);
  return plans;
}

function planStream(
  name: string,
  declared: RestStream,
  { parent, headers }: { readonly parent: StreamPlan | null; readonly headers: Readonly<Record<string, string>> },
): StreamPlan {
  const endpoint: Endpoint = {
    method: declared.method,
    path: declared.path,
    query: declared.query,
    headers: { ...headers, ...declared.headers },
    body: declared.body === undefined ? undefined : parseExactJson(JSON.stringify(declared.body)),
  };
  const fields =
    declared.fields === undefined ? null : Object.entries(declared.fields).map(([field, written]) => fieldPlace(field, written));
  const texts = [...Object.values(declared.query), ...Object.values(endpoint.headers)].map(String);
  const named = [...namesInPath(declared.path), ...texts.flatMap(namesIn)];
  const taken = (fields ?? []).flatMap((field) => (field.parent === null ? [] : [field.parent]));
  const parentFields = [...new Set([...named, ...namesInBody(endpoint.body), ...taken])];
  if (parent === null && parentFields.length > 0)
    throw new TrueupError(
      'E_CONFIG_INVALID',
      `stream '${name}': {${parentFields[0]}} is a field of a parent, but the stream names no \`parent\``,
    );
  return {
    name,
    declared,
    endpoint,
    records: parsePath(declared.records),
    errors: declared.errors === undefined ? null : parsePath(declared.errors),
    parent,
    parentFields,
    fields,
  };
}

function fieldPlace(name: string, written: NonNullable<RestStream['fields']>[string]): FieldPlace {
  const { type, from, parent } = typeof written === 'string' ? { type: written, from: undefined, parent: undefined } : written;
  return { name, type: parseType(type) as LogicalType, path: from === undefined ? [name] : parsePath(from), parent: parent ?? null };
}

function namesInBody(body: ExactJson | undefined): string[] {
  if (typeof body === 'string') return /^\{[^{}/\s]+\}$/.test(body) ? namesIn(body) : [];
  if (Array.isArray(body)) return (body as readonly ExactJson[]).flatMap(namesInBody);
  return body instanceof Map ? [...(body as ReadonlyMap<string, ExactJson>).values()].flatMap(namesInBody) : [];
}
