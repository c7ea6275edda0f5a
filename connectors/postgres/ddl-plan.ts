import type { Problem, TargetPlan, TargetStream, TargetStreamPlan } from '../../src/sdk.ts';
import { createProblems, databaseProblems, ownerProblems, storeProblems, tableProblems } from './ddl-access.ts';
import { createStatements, markName } from './ddl-create.ts';
import { compareTable } from './ddl-drift.ts';
import { readFacts } from './ddl-facts.ts';
import type { TargetFacts } from './ddl-facts.ts';
import { planNatives } from './ddl-native.ts';
import type { NativePlans } from './ddl-native.ts';
import { columnType, nativeText } from './ddl-type.ts';
import { parseStreamName } from './quote.ts';
import type { RelationName } from './quote.ts';
import type { Session } from './session.ts';
import { readTables, tableOf } from './target-table.ts';
import type { TargetTable } from './target-table.ts';

export interface PlanRequest {
  readonly streams: readonly TargetStream[];
  readonly defaultSchema: string;
  readonly storeSchema: string;
}

interface Found {
  readonly facts: TargetFacts;
  readonly natives: NativePlans;
  readonly tables: readonly TargetTable[];
  readonly relations: ReadonlyMap<TargetStream, RelationName>;
}

/** Reads only. */
export async function planTarget(session: Session, { streams, defaultSchema, storeSchema }: PlanRequest): Promise<TargetPlan> {
  const named = streams.map((stream) => [stream, parseStreamName(stream.target, defaultSchema)] as const);
  const relations = new Map(named.filter((pair): pair is readonly [TargetStream, RelationName] => pair[1] !== null));
  const facts = await readFacts(session, [...relations.values()], storeSchema);
  const { tables } = await readTables(session, [...relations.values()]);
  const natives = await qualified(session, () => planNatives(session, streams));
  const found = { facts, natives, tables, relations };
  return { streams: streams.map((stream) => planStream(stream, found)), checkpointProblems: storeProblems(facts, storeSchema) };
}

/** Without a search path, names of types mean what the source wrote. */
async function qualified<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('begin read only');
  try {
    await session.query(`set local search_path to ''`);
    return await work();
  } finally {
    await session.query('rollback');
  }
}

function planStream(stream: TargetStream, found: Found): TargetStreamPlan {
  const relation = found.relations.get(stream);
  if (relation === undefined) {
    return refused(stream, [
      problemOf(
        'E_CONFIG_INVALID',
        `'${stream.target}' is no name of a table: write table or schema.table, and a dot inside a name as \\.`,
      ),
    ]);
  }
  const general = [...databaseProblems(found.facts), ...nameProblems(stream, relation), ...shapeProblems(stream)];
  const table = tableOf(found.tables, relation);
  if (table === undefined) return planCreate(stream, relation, { found, general });
  if (table.kind !== 'r' && table.kind !== 'p') {
    return refused(stream, [
      ...general,
      problemOf(
        'E_DRIFT',
        `${stream.target} is ${KINDS[table.kind] ?? 'no table'}, and only tables can be written to. Name another target.`,
      ),
    ]);
  }
  return planExisting(stream, table, { found, general });
}

const KINDS: Readonly<Record<string, string>> = { v: 'a view', m: 'a materialized view', f: 'a foreign table' };

interface Context {
  readonly found: Found;
  readonly general: readonly Problem[];
}

function planCreate(stream: TargetStream, relation: RelationName, { found, general }: Context): TargetStreamPlan {
  const { facts, natives } = found;
  const { fields } = stream.shape;
  const typeProblems = fields.flatMap((field) => natives.get(nativeText(field) ?? '')?.problems ?? []);
  const schemaExists = facts.schemas.has(relation.schema);
  return {
    stream: stream.stream,
    target: stream.target,
    fields: fields.map((field) => ({ name: field.name, targetType: columnType(field) })),
    forms: ['cells'],
    statements: createStatements(stream, relation, { schemaExists, natives }),
    creates: true,
    problems: [...general, ...createProblems(facts, relation), ...new Set(typeProblems)],
    dependsOn: [],
  };
}

function planExisting(stream: TargetStream, table: TargetTable, { found, general }: Context): TargetStreamPlan {
  const drift = compareTable(stream, table, found.natives);
  const problems = [
    ...general,
    ...tableProblems(found.facts, stream, table),
    ...ownerProblems(found.facts, stream, { table, statements: drift.statements }),
    ...drift.problems,
  ];
  return {
    stream: stream.stream,
    target: stream.target,
    fields: drift.fields,
    forms: ['cells'],
    statements: table.owned ? [...new Set(drift.statements)] : [],
    creates: false,
    problems,
    dependsOn: dependencies(table, found),
  };
}

function refused(stream: TargetStream, problems: readonly Problem[]): TargetStreamPlan {
  const fields = stream.shape.fields.map((field) => ({ name: field.name, targetType: columnType(field) }));
  return {
    stream: stream.stream,
    target: stream.target,
    fields,
    forms: ['cells'],
    statements: [],
    creates: false,
    problems,
    dependsOn: [],
  };
}

/** The streams of the job whose tables this one's foreign keys refer to. */
function dependencies(table: TargetTable, { tables, relations }: Found): string[] {
  return [...relations].flatMap(([stream, relation]) => {
    const other = tableOf(tables, relation);
    return other !== undefined && table.references.includes(other.oid) ? [stream.stream] : [];
  });
}

function problemOf(code: Problem['code'], message: string): Problem {
  return { severity: 'error', code, message };
}

/** The server would cut a longer name without a word. */
function nameProblems(stream: TargetStream, relation: RelationName): Problem[] {
  const names = [relation.schema, relation.name, ...stream.shape.fields.map((field) => field.name), markName(stream) ?? ''];
  return names
    .filter((name) => Buffer.byteLength(name) > 63)
    .map((name) =>
      problemOf('E_MAPPING_INVALID', `The name '${name}' is longer than the 63 bytes that PostgreSQL allows. Map it to a shorter one.`),
    );
}

const SYSTEM_COLUMNS = new Set(['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid']);

function shapeProblems({ shape, guard, target }: TargetStream): Problem[] {
  const problems: Problem[] = [];
  if (shape.key.length === 0) problems.push(problemOf('E_STREAM_KEY', `${target} needs a key to be written by: the stream has none.`));
  const taken = shape.fields.find((field) => SYSTEM_COLUMNS.has(field.name));
  if (taken !== undefined)
    problems.push(problemOf('E_MAPPING_INVALID', `A column cannot be named '${taken.name}' in PostgreSQL. Map the field to another name.`));
  if (guard !== undefined && !shape.fields.some((field) => field.name === guard)) {
    problems.push(
      problemOf(
        'E_MAPPING_INVALID',
        `The guard '${guard}' is none of the mapped fields of ${target}: ${shape.fields.map((field) => field.name).join(', ')}.`,
      ),
    );
  }
  return problems;
}
