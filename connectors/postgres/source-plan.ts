import { TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { Problem, Shape, SourceStreamPlan, StreamRef } from '../../src/sdk.ts';
import { BINARY_FORM } from './copy/binary.ts';
import { TEXT_FORM } from './copy/text.ts';
import { queryRelation } from './discover.ts';
import { guaranteeOf } from './guarantee.ts';
import { planLog } from './log/log-plan.ts';
import { lookupProblems } from './read/lookup-index.ts';
import { cursorProblems } from './preflight.ts';
import { parseStreamName, streamName } from './quote.ts';
import { asWire, resolveReading } from './read/reading.ts';
import type { Reading } from './read/reading.ts';
import { describeRelation } from './relation.ts';
import type { Relation } from './relation.ts';
import { rowSecurityProblems } from './row-security.ts';
import { columnSequence, readServerFacts } from './session/server-facts.ts';
import type { ServerFacts } from './session/server-facts.ts';
import type { Server, Session } from './session/session.ts';

/** From here on pgoutput sends cells as their types do. */
const BINARY_LOG_VERSION = 140_000;
const NO_SHAPE: Shape = { fields: [], key: [], open: false };

export async function planStreams(session: Session, server: Server, refs: readonly StreamRef[]): Promise<SourceStreamPlan[]> {
  const facts = await readServerFacts(session);
  const plans: SourceStreamPlan[] = [];
  const readings: Reading[] = [];
  for (const ref of refs) plans.push(await planStream({ session, server, facts, readings }, ref));
  const logs = await planLog(
    session,
    server,
    readings.map((reading) => ({ ref: reading.ref, reading })),
  );
  // One connection reads all of them, so as bytes of the types only where they all can be.
  const binary =
    facts.version >= BINARY_LOG_VERSION && plans.every(({ stream, forms }) => !logs.has(stream) || forms.includes(BINARY_FORM));
  return plans.map((plan) => {
    const log = logs.get(plan.stream);
    if (log === undefined) return plan;
    const forms = binary ? plan.forms : plan.forms.filter((form) => form !== BINARY_FORM);
    const guarantee = log.remembers ? { ...plan.guarantee, remembers: true as const } : plan.guarantee;
    return { ...plan, forms, guarantee, problems: [...plan.problems, ...log.problems], statements: log.statements };
  });
}

interface PlanContext {
  readonly session: Session;
  readonly server: Server;
  readonly facts: ServerFacts;
  /** Of the streams that were planned so far. */
  readonly readings: Reading[];
}

/** What is wrong with one stream never hides what is wrong with another; faults of the environment are thrown. */
async function planStream(context: PlanContext, ref: StreamRef): Promise<SourceStreamPlan> {
  try {
    const relation = await relationOf(context, ref);
    const missing = missingColumns(ref, relation);
    if (missing.length > 0) return refused(ref, missing);
    const reading = resolveReading(ref, relation);
    context.readings.push(reading);
    const sequence = await columnSequence(context.session, reading);
    const subject = { reading, standby: context.facts.standby, sequence };
    const problems = [
      ...staticProblems(ref, relation),
      ...(await cursorProblems(context.session, subject)),
      ...lookupProblems(reading),
      ...(await rowSecurityProblems(context.session, ref.name, relation)),
    ];
    return {
      stream: ref.name,
      shape: reading.shape,
      forms: ['cells', ...([BINARY_FORM, TEXT_FORM] as const).filter((form) => asWire(reading, form).placeFields !== null)],
      problems,
      statements: [],
      guarantee: guaranteeOf(subject),
      ...(relation.rowEstimate === null ? {} : { rowEstimate: relation.rowEstimate }),
    };
  } catch (error) {
    if (!isTrueupError(error) || (error.fault !== 'config' && error.fault !== 'plan')) throw error;
    return refused(ref, [{ severity: 'error', code: error.code, message: error.message }]);
  }
}

function refused(ref: StreamRef, problems: readonly Problem[]): SourceStreamPlan {
  const guarantee = { lateCommits: 'lost', deletes: 'never', assumes: [] } as const;
  return { stream: ref.name, shape: NO_SHAPE, forms: ['cells'], problems, statements: [], guarantee };
}

async function relationOf({ session, server }: PlanContext, ref: StreamRef): Promise<Relation> {
  if (ref.query !== undefined) return queryRelation(session, ref.name, ref.query);
  const name = parseStreamName(ref.name, server.options.schema);
  const relation = name === null ? null : await describeRelation(session, name);
  if (relation !== null) return relation;
  const like = await session.query(
    `select n.nspname::text, c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and n.nspname = $1 order by c.relname limit 20`,
    [name?.schema ?? server.options.schema],
  );
  const known = like.map(([schema, table]) => streamName({ schema: schema as string, name: table as string })).join(', ') || 'none';
  throw new TrueupError('E_STREAM_UNKNOWN', `Stream '${ref.name}' is no table or view that the role can see. In its schema: ${known}.`);
}

function missingColumns(ref: StreamRef, relation: Relation): Problem[] {
  const known = relation.columns.map((column) => column.name);
  const field = ref.changes.field === undefined ? [] : [{ name: ref.changes.field, what: 'cursor column' }];
  const named = [
    ...field,
    ...ref.key.map((name) => ({ name, what: 'key column' })),
    ...(ref.fields ?? []).map((name) => ({ name, what: 'column' })),
  ];
  return named
    .filter(({ name }) => !known.includes(name))
    .map(({ name, what }) => ({
      severity: 'error',
      code: 'E_STREAM_UNKNOWN',
      message: `Stream '${ref.name}' has no ${what} '${name}'. Columns: ${known.join(', ')}.`,
    }));
}

/** What the catalog alone tells. */
function staticProblems(ref: StreamRef, relation: Relation): Problem[] {
  const problems: Problem[] = [];
  if (ref.key.length === 0)
    problems.push({
      severity: 'error',
      code: 'E_STREAM_KEY',
      message: `Stream '${ref.name}' has no key: no primary key and no unique index on columns that are NOT NULL. Add one, or name columns that are unique with \`key: [...]\`.`,
    });
  const nullable =
    relation.kind === 'table' || relation.kind === 'partitioned'
      ? relation.columns.filter((column) => ref.key.includes(column.name) && !column.notNull)
      : [];
  if (nullable.length > 0) {
    const names = nullable.map((column) => column.name).join(', ');
    problems.push({
      severity: 'warning',
      code: 'E_STREAM_KEY',
      message: `Key columns of '${ref.name}' may be NULL (${names}): such rows become dead letters. Make them NOT NULL, or choose another key.`,
    });
  }
  const hidden = relation.columns.filter(
    (column) => !column.readable && !ref.except.includes(column.name) && (ref.fields === null || ref.fields.includes(column.name)),
  );
  if (hidden.length > 0) {
    const names = hidden.map((column) => column.name).join(', ');
    problems.push({
      severity: 'error',
      code: 'E_ACCESS',
      message: `The role may not read ${names} of '${ref.name}'. Grant SELECT, or drop the columns in the mapping.`,
    });
  }
  const twice = relation.columns.filter((column, index) => relation.columns.findIndex((one) => one.name === column.name) !== index);
  if (twice.length > 0)
    problems.push({
      severity: 'error',
      code: 'E_CONFIG_INVALID',
      message: `The query of '${ref.name}' gives two columns the name '${twice[0]?.name}'. Name each with AS.`,
    });
  return problems;
}
