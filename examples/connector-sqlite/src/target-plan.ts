import { typeText } from 'trueup/sdk';
import type { Field, Problem, Shape, TargetField, TargetStream, TargetStreamPlan } from 'trueup/sdk';
import type { Sql } from './file.ts';
import { quote, quoteAll } from './quote.ts';
import { columnOf, describeTable, isUnique, quoted } from './table.ts';
import type { Column, Table } from './table.ts';
import { affinityOf, declaredFor } from './value.ts';

/** @param all the streams of the job, to find those that this one refers to */
export function planStream(sql: Sql, stream: TargetStream, all: readonly TargetStream[]): TargetStreamPlan {
  const table = describeTable(sql, stream.target);
  const statements = table === null ? [createText(stream)] : missingColumns(table, stream).map((field) => addText(table, field));
  const problems = [...fieldProblems(stream), ...(table === null ? [] : tableProblems(table, stream))];
  return {
    stream: stream.stream,
    target: stream.target,
    fields: stream.shape.fields.map((field, index) => targetField(table, stream, field, index)),
    forms: ['cells'],
    statements: problems.some(({ severity }) => severity === 'error') ? [] : statements,
    creates: table === null,
    problems,
    dependsOn: all.filter((other) => table?.refersTo.includes(other.target) === true && other !== stream).map((other) => other.stream),
  };
}

function targetField(table: Table | null, stream: TargetStream, field: Field, index: number): TargetField {
  const existing = table === null ? undefined : columnOf(table, field.name);
  const isIgnored = table !== null && existing === undefined && stream.drift.add === 'ignore';
  return {
    name: field.name,
    targetType: existing?.declared ?? declaredFor(field.type) ?? 'nothing',
    ...(field.type === 'float64' ? { loss: `NaN and -0: ${stream.onLoss[index] ?? 'error'}` } : {}),
    ...(isIgnored ? { ignored: true } : {}),
  };
}

function keyNames({ key, fields }: Shape): string[] {
  return key.flatMap((index) => fields[index]?.name ?? []);
}

/** The stream's fields and, where deletes are only marked, the mark. */
function wantedFields({ shape, onDelete }: TargetStream): Field[] {
  const mark = typeof onDelete === 'object' ? onDelete.mark : null;
  const isThere = mark === null || shape.fields.some(({ name }) => name === mark);
  return isThere ? [...shape.fields] : [...shape.fields, { name: mark, type: 'timestamptz', nullable: true }];
}

function createText(stream: TargetStream): string {
  const key = keyNames(stream.shape);
  const columns = wantedFields(stream).map((field) => columnText(field, !field.nullable || key.includes(field.name)));
  return `CREATE TABLE ${quote(stream.target)} (${columns.join(', ')}, PRIMARY KEY (${quoteAll(key)}))`;
}

function columnText({ name, type }: Field, notNull: boolean): string {
  return `${quote(name)} ${declaredFor(type) ?? ''}${notNull ? ' NOT NULL' : ''}`;
}

/** The rows that are there have no value for it, so it may be NULL. */
function addText(table: Table, field: Field): string {
  return `ALTER TABLE ${quoted(table)} ADD COLUMN ${columnText(field, false)}`;
}

function missingColumns(table: Table, stream: TargetStream): Field[] {
  const mark = typeof stream.onDelete === 'object' ? stream.onDelete.mark : null;
  return wantedFields(stream).filter(({ name }) => columnOf(table, name) === undefined && (stream.drift.add === 'evolve' || name === mark));
}

function stop(code: Problem['code'], message: string): Problem {
  return { severity: 'error', code, message };
}

function fieldProblems({ target, shape }: TargetStream): Problem[] {
  const held = shape.fields.filter(({ type }) => declaredFor(type) === null);
  return [
    ...(shape.key.length === 0 ? [stop('E_STREAM_KEY', `Table '${target}' needs a key.`)] : []),
    ...held.map(({ name, type }) =>
      stop(
        'E_MAPPING_TYPE',
        `Field '${name}' is ${typeText(type)}, which SQLite has no column for: map it with \`type: json\` or \`type: text\`.`,
      ),
    ),
  ];
}

function tableProblems(table: Table, stream: TargetStream): Problem[] {
  const { name, kind } = table;
  const key = keyNames(stream.shape);
  if (kind === 'view') return [stop('E_DRIFT', `'${name}' is a view, which cannot be written to.`)];
  const problems =
    isUnique(table, key) || key.length === 0
      ? []
      : [stop('E_STREAM_KEY', `Nothing keeps ${key.join(', ')} unique in table '${name}', byte for byte: CREATE UNIQUE INDEX …`)];
  for (const field of stream.shape.fields) {
    const column = columnOf(table, field.name);
    if (column === undefined && stream.drift.add === 'stop')
      problems.push(stop('E_DRIFT', `Table '${name}' has no column '${field.name}', and \`drift.add\` is stop.`));
    if (column?.generated === true)
      problems.push(stop('E_DRIFT', `Column '${field.name}' of table '${name}' is computed by SQLite; leave it out of the mapping.`));
    if (column !== undefined && !holds(column, field))
      problems.push(
        stop(
          'E_DRIFT',
          `Column '${field.name}' of table '${name}' is ${column.declared || 'of no type'}, which would change values of ${typeText(field.type)}.`,
        ),
      );
  }
  const gone = table.columns.filter((column) => !wantedFields(stream).some((field) => field.name === column.name));
  if (stream.drift.drop === 'stop' && gone.length > 0)
    problems.push(
      stop(
        'E_DRIFT',
        `Table '${name}' has ${gone.map((column) => column.name).join(', ')}, which the stream has no more, and \`drift.drop\` is stop.`,
      ),
    );
  return problems;
}

/** Whether a column keeps values of a type as they are: SQLite makes numbers of texts in a column that prefers numbers. */
function holds({ declared }: Column, { type }: Field): boolean {
  const wanted = declaredFor(type);
  if (wanted === null) return true;
  const [has, wants] = [affinityOf(declared), affinityOf(wanted)];
  return (
    has === wants ||
    has === 'blob' ||
    wants === 'blob' ||
    ((has === 'integer' || has === 'numeric') && (wants === 'integer' || wants === 'numeric'))
  );
}
