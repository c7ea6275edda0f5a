import { TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { ConnectorContext, Problem, Shape, SourceStreamPlan, StreamInfo, StreamRef } from '../../src/sdk.ts';
import { guaranteeOf } from './guarantee.ts';
import type { Knowledge } from './knowledge.ts';
import { isOrderable } from './order.ts';
import type { FieldPlace } from './record-row.ts';
import { planOf } from './stream-plan.ts';
import type { StreamPlan } from './stream-plan.ts';

const NO_SHAPE: Shape = { fields: [], key: [], open: false };

/** A stream that cannot be asked now has no fields here: the others must be found none the less. */
export async function describe(
  plan: StreamPlan,
  knowledge: Knowledge,
  { log }: ConnectorContext,
  signal: AbortSignal,
): Promise<StreamInfo> {
  const { changes, key } = plan.declared;
  const common = {
    name: plan.name,
    kind: 'endpoint' as const,
    changes: [...(changes === undefined ? [] : [{ by: 'cursor' as const, fields: [changes.field] }]), { by: 'snapshot' as const }],
  };
  try {
    const fields = await knowledge.fieldsOf(plan, signal);
    const names = fields.map((field) => field.name);
    const shape = {
      fields: fields.map(({ name, type }) => ({ name, type, nullable: !key.includes(name) })),
      key: key.every((name) => names.includes(name)) ? key.map((name) => names.indexOf(name)) : [],
      open: false,
    };
    return { ...common, shape };
  } catch (error) {
    if (!isTrueupError(error) || (error.fault !== 'config' && error.code !== 'E_ANSWER')) throw error;
    log.warn({ stream: plan.name, code: error.code, err: error.message }, 'the fields of a stream cannot be found out');
    return { ...common, shape: NO_SHAPE };
  }
}

export async function planStream(
  plans: ReadonlyMap<string, StreamPlan>,
  stream: StreamRef,
  knowledge: Knowledge,
  signal: AbortSignal,
): Promise<SourceStreamPlan> {
  const common = { stream: stream.name, forms: ['cells' as const], statements: [] };
  try {
    const plan = planOf(plans, stream.name);
    const { shape } = await knowledge.view(plan, stream, signal);
    const problems = problemsOf(plan, stream, await knowledge.fieldsOf(plan, signal));
    return { ...common, guarantee: guaranteeOf(plan, stream), shape, problems };
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'config') throw error;
    const guarantee = { lateCommits: 'lost', deletes: 'never', assumes: [] } as const;
    return { ...common, guarantee, shape: NO_SHAPE, problems: [{ severity: 'error', code: error.code, message: error.message }] };
  }
}

function problemsOf(plan: StreamPlan, stream: StreamRef, fields: readonly FieldPlace[]): Problem[] {
  const found: Problem[] = [];
  const problem = (code: Problem['code'], message: string): unknown =>
    found.push({ severity: 'error', code, message: `Stream '${plan.name}' ${message}` });
  if (stream.key.length === 0) problem('E_STREAM_KEY', 'has no key; name one with `key: [...]`.');
  if (plan.declared.pages?.by === 'offset' && plan.declared.key.length === 0)
    problem('E_STREAM_KEY', 'is read by offset and needs a `key` in the connection, to notice records that move.');
  if (stream.query !== undefined) problem('E_CHANGES_UNSUPPORTED', 'is a query, which this source does not take.');
  if (stream.where !== undefined)
    problem('E_CHANGES_UNSUPPORTED', 'cannot be filtered by its source; use `where` in the mapping, or `query` of the endpoint.');
  const { by } = stream.changes;
  if (by === 'cursor') for (const message of cursorProblems(plan, stream, fields)) problem('E_CHANGES_UNSUPPORTED', message);
  else if (by !== 'snapshot') problem('E_CHANGES_UNSUPPORTED', `delivers changes by cursor or snapshot, not by ${by}.`);
  return found;
}

function cursorProblems({ declared, parent }: StreamPlan, { changes, lookbackMs }: StreamRef, fields: readonly FieldPlace[]): string[] {
  if (declared.changes === undefined)
    return ['has no `changes` in the connection, so that nothing can be asked for by its time; use `changes: { by: snapshot }`.'];
  const { field } = declared.changes;
  if (changes.field !== undefined && changes.field !== field)
    return [`asks its endpoint for changes by '${field}', not by '${changes.field}'.`];
  const type = fields.find(({ name }) => name === field)?.type;
  if (!isOrderable(type)) return [`has no field '${field}' of a type that has an order (${fields.map(({ name }) => name).join(', ')}).`];
  const problems: string[] = [];
  if (lookbackMs !== undefined && type !== 'timestamptz') problems.push(`has a lookback, but '${field}' is no timestamptz.`);
  // One head stands for the records of all parents; only a time says what may have changed while others were read.
  if (parent !== null && type !== 'timestamptz')
    problems.push(
      `is read for each record of '${parent.name}', so its '${field}' must be a timestamptz; use \`changes: { by: snapshot }\`.`,
    );
  return problems;
}

/** @throws {TrueupError} `E_STREAM_UNKNOWN` */
export function onlyStream(streams: readonly StreamRef[]): StreamRef {
  const [stream] = streams;
  if (stream === undefined) throw new TrueupError('E_BUG', 'A feed without a stream.');
  return stream;
}
