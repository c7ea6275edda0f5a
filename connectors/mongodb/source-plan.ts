import { PLAIN_LINES, isTrueupError, plainText, typeText } from '../../src/sdk.ts';
import type { ErrorCode, Problem, Shape, SourceStreamPlan, StreamRef } from '../../src/sdk.ts';
import { estimate, listCollections, pathAt } from './discover.ts';
import type { CollectionName } from './discover.ts';
import { guaranteeOf } from './guarantee.ts';
import { indexPrefixes } from './index-facts.ts';
import { isPathName } from './document/layout.ts';
import { logGuarantee, logProblems } from './log/log-plan.ts';
import type { Reading } from './read/reading.ts';
import type { SourceContext } from './stream-context.ts';

const NO_SHAPE: Shape = { fields: [], key: [], open: false };
/** Names that a message lists at most. */
const SOME = 12;

export async function planStreams(context: SourceContext, refs: readonly StreamRef[], signal: AbortSignal): Promise<SourceStreamPlan[]> {
  const collections = await listCollections(context.session, signal);
  const plans: SourceStreamPlan[] = [];
  for (const ref of refs) plans.push(await planStream(context, { ref, collections, signal }));
  return plans;
}

interface Planning {
  readonly ref: StreamRef;
  readonly collections: readonly CollectionName[];
  readonly signal: AbortSignal;
}

/** What is wrong with one stream never hides what is wrong with another; faults of the environment are thrown. */
async function planStream(context: SourceContext, { ref, collections, signal }: Planning): Promise<SourceStreamPlan> {
  const collection = collections.find((one) => one.name === ref.name);
  if (ref.query !== undefined)
    return refused(ref, [
      problem(
        'E_CONFIG_INVALID',
        `Stream '${ref.name}': the mongodb connector has no query streams. Make a view of the query and name that.`,
      ),
    ]);
  if (collection === undefined) {
    const known = collections.slice(0, SOME).map((one) => one.name);
    const more = collections.length > SOME ? ', …' : '';
    return refused(ref, [
      problem(
        'E_STREAM_UNKNOWN',
        `Stream '${ref.name}' is no collection or view that the role can see. Known: ${known.join(', ') || 'none'}${more}.`,
      ),
    ]);
  }
  try {
    const reading = await context.knowledge.reading(ref, signal);
    const prefixes = collection.kind === 'collection' ? await context.session.run(signal, (db) => indexPrefixes(db, ref.name, signal)) : [];
    const rowEstimate = collection.kind === 'collection' ? await estimate(context.session, ref.name, signal) : undefined;
    return {
      stream: ref.name,
      shape: reading.shape,
      forms: reading.shape.fields.every(({ type }) => plainText(type) !== null) ? ['cells', PLAIN_LINES] : ['cells'],
      problems: [
        ...keyProblems(ref, prefixes),
        ...lookupProblems(ref, prefixes),
        ...(ref.changes.by === 'log'
          ? await logProblems(context.session, ref, collection, signal)
          : changesProblems(context, reading, prefixes)),
        ...sampleProblems(context, reading),
      ],
      statements: [],
      guarantee: ref.changes.by === 'log' ? await logGuarantee(context.session, ref, guaranteeOf(ref), signal) : guaranteeOf(ref),
      ...(rowEstimate === undefined ? {} : { rowEstimate }),
    };
  } catch (error) {
    if (!isTrueupError(error) || (error.fault !== 'config' && error.fault !== 'plan')) throw error;
    return refused(ref, [problem(error.code, error.message)]);
  }
}

function refused(ref: StreamRef, problems: readonly Problem[]): SourceStreamPlan {
  const guarantee = { lateCommits: 'lost', deletes: 'never', assumes: [] } as const;
  return { stream: ref.name, shape: NO_SHAPE, forms: ['cells'], problems, statements: [], guarantee };
}

function problem(code: ErrorCode, message: string): Problem {
  return { severity: 'error', code, message };
}

function warning(code: ErrorCode, message: string, statements?: readonly string[]): Problem {
  return { severity: 'warning', code, message, ...(statements === undefined ? {} : { statements }) };
}

function keyProblems({ name, key }: StreamRef, prefixes: readonly string[][]): Problem[] {
  if (key.length === 0) return [problem('E_STREAM_KEY', `Stream '${name}' has no key; \`_id\` is one.`)];
  if (key.join() === '_id' || prefixes.some((fields) => fields.slice(0, key.length).sort().join() === [...key].sort().join())) return [];
  return [
    warning(
      'E_CHANGES_SLOW',
      `No index of '${name}' begins with its key (${key.join(', ')}): looking documents up by it reads the whole collection.`,
      [`db.getCollection(${JSON.stringify(name)}).createIndex(${indexText(key)}, { unique: true })`],
    ),
  ];
}

function lookupProblems({ name, lookups = [] }: StreamRef, prefixes: readonly string[][]): Problem[] {
  return lookups
    .filter((fields) => !fields.includes('_id') && !prefixes.some(([first = '']) => fields.includes(first)))
    .map((fields) =>
      warning(
        'E_CHANGES_SLOW',
        `'${name}': documents are looked up by (${fields.join(', ')}), and no index begins with that, so every look reads the whole collection.`,
        [`db.getCollection(${JSON.stringify(name)}).createIndex(${indexText(fields)})`],
      ),
    );
}

function indexText(fields: readonly string[]): string {
  return `{ ${fields.map((field) => `${JSON.stringify(field)}: 1`).join(', ')} }`;
}

function changesProblems({ session, knowledge }: SourceContext, { ref, layout }: Reading, prefixes: readonly string[][]): Problem[] {
  const { by, field } = ref.changes;
  if (by === 'snapshot') return [];
  if (by !== 'cursor')
    return [problem('E_CHANGES_UNSUPPORTED', `Stream '${ref.name}': '${by}' is not offered. Methods: cursor, snapshot, log.`)];
  if (field === undefined || !field.split('.').every(isPathName))
    return [
      problem(
        'E_CHANGES_UNSUPPORTED',
        `Stream '${ref.name}': changes by cursor need a field that a query can name, got '${field ?? 'none'}'.`,
      ),
    ];
  const type = layout.shape.fields.find((one) => one.name === field)?.type;
  if (type === undefined)
    return [
      problem(
        'E_STREAM_UNKNOWN',
        `Stream '${ref.name}' has no cursor field '${field}'. Fields: ${layout.shape.fields.map((one) => one.name).join(', ')}.`,
      ),
    ];
  const found: Problem[] = [];
  if (ref.lookbackMs !== undefined && !['timestamptz', 'objectId', 'variant'].includes(type as string))
    found.push(
      problem(
        'E_CHANGES_UNSUPPORTED',
        `Stream '${ref.name}': a lookback needs a cursor field with a time in it; '${field}' is ${typeText(type)}.`,
      ),
    );
  if (field !== '_id' && !prefixes.some((fields) => fields[0] === field)) {
    const statement = `db.getCollection(${JSON.stringify(ref.name)}).createIndex(${indexText([field, '_id'])})`;
    found.push(
      warning('E_CHANGES_SLOW', `No index of '${ref.name}' begins with '${field}': every run sorts the whole collection.`, [statement]),
    );
  }
  if (ref.lookbackMs === undefined)
    found.push(
      warning(
        'E_CHANGES_LIMITED',
        `MongoDB has no fence: a document of '${ref.name}' whose '${field}' is below one that was read already is lost. Declare a \`lookback\`, or look for such by \`verify\`.`,
      ),
    );
  const sample = knowledge.sample(ref.name);
  const path = pathAt(sample, field);
  const placed = [...(path?.types ?? [])]
    .filter(([name]) => !['null', 'undefined', 'array'].includes(name))
    .reduce((sum, [, count]) => sum + count, 0);
  if (sample.documents > 0 && placed < sample.documents) {
    const share = Math.ceil((1 - placed / sample.documents) * 100);
    found.push(
      warning(
        'E_CHANGES_SLOW',
        `About ${share} % of the documents of '${ref.name}' have no single value in '${field}': every run delivers all of them again.`,
      ),
    );
  }
  if (session.options.readPreference !== 'primary')
    found.push(
      warning('E_CHANGES_LIMITED', `'${ref.name}' is read from secondaries, which lag: what they get later than the lookback is lost.`),
    );
  return found;
}

function sampleProblems({ knowledge }: SourceContext, { ref, layout }: Reading): Problem[] {
  const found: Problem[] = [];
  if (knowledge.sample(ref.name).documents === 0)
    found.push(
      warning(
        'E_STREAM_UNKNOWN',
        `'${ref.name}' is empty, so nothing is known of its fields: declare them under \`collections\` of the connection, or run again when there are documents.`,
      ),
    );
  if (layout.rare.length > 0) {
    const names = layout.rare.slice(0, SOME).join(', ');
    found.push(
      warning(
        'E_STREAM_UNKNOWN',
        `Few documents of '${ref.name}' have ${names}${layout.rare.length > SOME ? ', …' : ''}: they travel in '*'. Declare under \`collections\` of the connection what is to be a field of its own.`,
      ),
    );
  }
  return found;
}
