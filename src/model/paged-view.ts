import { TrueupError, isTrueupError } from '../errors.ts';
import type { Problem, SourceStreamPlan, StreamRef } from './contracts.ts';
import type { GuaranteeParts } from './guarantee.ts';
import type { Field } from './logical-type.ts';
import type { Cell } from './cell.ts';
import type { PagedRow, PagedStream } from './paged-stream.ts';
import type { Shape } from './shape.ts';

/** A declared stream as a job reads it. */
export interface PagedView {
  readonly stream: StreamRef;
  readonly shape: Shape;
  /** The carrier of a field, or a throw of a record fault. Absent: the row's own member of that name, as `cellFromJson` reads it. */
  readonly cell?: (row: PagedRow, field: Field, place: string) => Cell;
}

type Streams = Readonly<Record<string, PagedStream>>;

const NO_SHAPE: Shape = { fields: [], key: [], open: false };

/** Fields in the order of their declaration. Throws E_STREAM_UNKNOWN for a stream or field that is not declared. */
export function viewOf(streams: Streams, stream: StreamRef): PagedView {
  const declared = Object.hasOwn(streams, stream.name) ? streams[stream.name] : undefined;
  if (declared === undefined)
    throw new TrueupError('E_STREAM_UNKNOWN', `There is no stream '${stream.name}'. Streams: ${Object.keys(streams).join(', ')}.`);
  const missing = [...stream.key, ...(stream.fields ?? [])].find((name) => !Object.hasOwn(declared.fields, name));
  if (missing !== undefined)
    throw new TrueupError(
      'E_STREAM_UNKNOWN',
      `Stream '${stream.name}' has no field '${missing}'. Fields: ${Object.keys(declared.fields).join(', ')}.`,
    );
  const fields = Object.entries(declared.fields)
    .filter(([name]) => stream.key.includes(name) || (!stream.except.includes(name) && (stream.fields?.includes(name) ?? true)))
    .map(([name, type]): Field => ({ name, type, nullable: !stream.key.includes(name) }));
  return { stream, shape: { fields, key: stream.key.map((name) => fields.findIndex((field) => field.name === name)), open: false } };
}

export function planPagedStream(streams: Streams, stream: StreamRef): SourceStreamPlan {
  const common = { stream: stream.name, forms: ['cells' as const], statements: [], guarantee: guaranteeOf(streams[stream.name]) };
  try {
    return { ...common, shape: viewOf(streams, stream).shape, problems: problemsOf(stream) };
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    return { ...common, shape: NO_SHAPE, problems: [{ severity: 'error', code: error.code, message: error.message }] };
  }
}

function problemsOf(stream: StreamRef): Problem[] {
  const found: Problem[] = [];
  const problem = (code: Problem['code'], message: string): unknown => found.push({ severity: 'error', code, message });
  if (stream.key.length === 0) problem('E_STREAM_KEY', `Stream '${stream.name}' has no key; name one with \`key: [...]\`.`);
  if (stream.changes.by !== 'cursor')
    problem('E_CHANGES_UNSUPPORTED', `Stream '${stream.name}' delivers changes by cursor only, not by ${stream.changes.by}.`);
  if (stream.query !== undefined) problem('E_CHANGES_UNSUPPORTED', `Stream '${stream.name}' is a query, which this source does not take.`);
  if (stream.where !== undefined)
    problem('E_CHANGES_UNSUPPORTED', `Stream '${stream.name}' cannot be filtered by its source; use \`where\` in the mapping.`);
  return found;
}

function guaranteeOf(declared: PagedStream | undefined): GuaranteeParts {
  return {
    lateCommits: 'lost',
    deletes: 'never',
    assumes: ['the cursor of each page misses nothing that was not delivered'],
    ...declared?.guarantee,
  };
}
