import { isTrueupError } from '../../src/sdk.ts';
import type { GuaranteeParts, Problem, Shape, SourceStreamPlan, StreamInfo, StreamRef } from '../../src/sdk.ts';
import type { Collection } from './collection.ts';
import type { MemoryDatabase } from './database.ts';
import { isOrderable } from './read-rows.ts';
import type { View } from './view.ts';

const NO_SHAPE: Shape = { fields: [], key: [], open: false };

export function discover(database: MemoryDatabase): StreamInfo[] {
  return [...database.collections.values()].map(describe);
}

function describe({ name, shape, rows }: Collection): StreamInfo {
  const fields = shape.fields.filter((_field, index) => isOrderable(shape, index) && !shape.key.includes(index)).map((field) => field.name);
  const counters = shape.fields.filter((field) => field.type === 'int64').map((field) => field.name);
  return {
    name,
    kind: 'collection',
    shape,
    rowEstimate: rows.size,
    changes: [
      { by: 'log' },
      ...(fields.length > 0 ? [{ by: 'cursor' as const, fields }] : []),
      ...(counters.length > 0 ? [{ by: 'sequence' as const, fields: counters }] : []),
      { by: 'snapshot' },
    ],
  };
}

export function planStream(
  database: MemoryDatabase,
  viewOf: (from: Shape, stream: StreamRef) => View,
  stream: StreamRef,
): SourceStreamPlan {
  const common = { stream: stream.name, forms: ['cells' as const], statements: [], guarantee: guarantee(stream) };
  try {
    const collection = database.collection(stream.name);
    const { shape } = viewOf(collection.shape, stream);
    return { ...common, shape, problems: problems(collection, stream, shape), rowEstimate: collection.rows.size };
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    return { ...common, shape: NO_SHAPE, problems: [{ severity: 'error', code: error.code, message: error.message }] };
  }
}

function problems(collection: Collection, stream: StreamRef, shape: Shape): Problem[] {
  const { by, field } = stream.changes;
  if (shape.key.length === 0)
    return [{ severity: 'error', code: 'E_STREAM_KEY', message: `Collection '${stream.name}' has no key; name one with \`key: [...]\`.` }];
  if (by === 'log') return keyProblems(collection, stream, shape);
  if (by === 'snapshot') return [];
  const index = shape.fields.findIndex((candidate) => candidate.name === field);
  if ((by === 'cursor' || by === 'sequence') && isOrderable(shape, index)) return [];
  const choice = describe(collection)
    .changes.map((offer) => [offer.by, ...(offer.fields ?? [])].join(' '))
    .join('; ');
  return [
    {
      severity: 'error',
      code: 'E_CHANGES_UNSUPPORTED',
      message: `Collection '${stream.name}' cannot deliver changes by '${by}'${field === undefined ? '' : ` of '${field}'`}. Methods: ${choice}.`,
    },
  ];
}

/** Deletes in the log name the collection's own key. */
function keyProblems(collection: Collection, stream: StreamRef, shape: Shape): Problem[] {
  const own = collection.shape.key.map((index) => collection.shape.fields[index]?.name);
  const wanted = shape.key.map((index) => shape.fields[index]?.name);
  if (own.join() === wanted.join()) return [];
  return [
    {
      severity: 'error',
      code: 'E_STREAM_KEY',
      message: `The log of collection '${stream.name}' names records by ${own.join(', ')}, not by ${wanted.join(', ')}.`,
    },
  ];
}

/** The source's share of the guarantee. */
export function guarantee(stream: Pick<StreamRef, 'name' | 'changes'>): GuaranteeParts {
  const { by, field } = stream.changes;
  if (by === 'log') return { lateCommits: 'delivered', deletes: 'delivered', assumes: [] };
  if (by === 'snapshot') return { lateCommits: 'delivered', deletes: 'never', assumes: [] };
  const assumes =
    by === 'sequence'
      ? [`rows of ${stream.name} are never deleted`]
      : [`every write to ${stream.name} sets ${field ?? 'its cursor field'}`];
  return { lateCommits: 'delivered', deletes: 'never', assumes };
}
