import { PLAIN_LINES } from '../../../src/sdk.ts';
import type { Field, Form, Problem, TargetPlan, TargetStream, TargetStreamPlan } from '../../../src/sdk.ts';
import { fitColumn } from './column-fit.ts';
import { BINARY_FORM, isBinary, sameBinary } from '../copy/binary.ts';
import { TEXT_FORM } from '../copy/text.ts';
import { createProblems, databaseProblems, ownerProblems, storeProblems, tableProblems } from './access.ts';
import { createStatements, markName } from './create.ts';
import { compareTable } from './drift.ts';
import { readFacts } from './facts.ts';
import type { TargetFacts } from './facts.ts';
import { planNatives } from './native.ts';
import type { NativePlans } from './native.ts';
import { columnType, nativeText } from './type.ts';
import { takesPlainText } from '../lane/plain-columns.ts';
import { parseStreamName } from '../quote.ts';
import type { RelationName } from '../quote.ts';
import type { Session } from '../session/session.ts';
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
  await session.query(`begin read only; set local search_path to ''`);
  try {
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
    forms: formsOf({
      unread: fields.every((field) => nativeText(field) === columnType(field)),
      binary: isBinary(stream.shape),
      plain: fields.every((field) => takesPlainText(field, columnType(field))),
    }),
    statements: createStatements(stream, relation, { schemaExists, natives }),
    creates: true,
    problems: [...general, ...createProblems(facts, relation), ...new Set(typeProblems)],
    dependsOn: [],
  };
}

function planExisting(stream: TargetStream, table: TargetTable, { found, general }: Context): TargetStreamPlan {
  const drift = compareTable(stream, table, found.natives);
  const { fields } = stream.shape;
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
    forms: formsOf({
      unread: fields.every((field, index) => takesUnread(stream, table, { field, index })),
      binary: fields.every((field) =>
        sameBinary(nativeText(field) ?? undefined, table.columns.find(({ name }) => name === field.name)?.baseText),
      ),
      plain: fields.every((field) => takesPlain(stream, table, field)),
    }),
    statements: table.owned ? [...new Set(drift.statements)] : [],
    creates: false,
    problems,
    dependsOn: dependencies(table, found),
  };
}

/**
 * @param unread whether every field has a column that takes the text that the source's own server wrote
 * @param binary whether it takes their bytes as well
 * @param plain whether it takes the plain text of its values
 */
function formsOf(takes: { readonly unread: boolean; readonly binary: boolean; readonly plain: boolean }): readonly Form[] {
  const forms: Form[] = ['cells'];
  if (takes.unread && takes.binary) forms.push(BINARY_FORM);
  if (takes.unread) forms.push(TEXT_FORM);
  if (takes.plain) forms.push(PLAIN_LINES);
  return forms;
}

function takesPlain({ drift }: TargetStream, table: TargetTable, field: Field): boolean {
  const column = table.columns.find(({ name }) => name === field.name);
  if (column === undefined) return drift.add === 'evolve' && takesPlainText(field, columnType(field));
  return !column.generated && takesPlainText(field, column.baseText);
}

/** A column that is still to be added is of the field's own type. */
function takesUnread(
  stream: TargetStream,
  table: TargetTable,
  { field, index }: { readonly field: Field; readonly index: number },
): boolean {
  const column = table.columns.find(({ name }) => name === field.name);
  if (column === undefined) return stream.drift.add === 'evolve' && nativeText(field) === columnType(field);
  return !column.generated && fitColumn({ field, column, onLoss: stream.onLoss[index] ?? 'error' }).kind === 'raw';
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
