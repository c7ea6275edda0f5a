import type { Field, OnLoss, Problem, TargetField, TargetStream } from '../../../src/sdk.ts';
import { fitColumn } from './column-fit.ts';
import { MARK_TYPE, markName } from './create.ts';
import type { NativePlans } from './native.ts';
import { columnType, nativeText } from './type.ts';
import { markKind, sameNames } from '../lane/table.ts';
import { isWideEnough } from '../values/native-width.ts';
import { quoteIdentifier, quoteIdentifiers, quoteRelation } from '../quote.ts';
import type { TargetColumn, TargetTable } from './target-table.ts';

/** What comparing a stream with the table that is there yields. */
export interface Drift {
  readonly fields: TargetField[];
  readonly statements: string[];
  readonly problems: Problem[];
}

interface Compared {
  readonly stream: TargetStream;
  readonly table: TargetTable;
  readonly natives: NativePlans;
  readonly into: Drift;
}

/** Compares by name: a column for every field, a field for every column that needs one, types, key, mark. */
export function compareTable(stream: TargetStream, table: TargetTable, natives: NativePlans): Drift {
  const into: Drift = { fields: [], statements: [], problems: [] };
  const compared = { stream, table, natives, into };
  for (const [index, field] of stream.shape.fields.entries()) compareField(compared, field, index);
  compareKey(compared);
  compareMark(compared);
  for (const column of table.columns) compareUnfilled(compared, column);
  if (table.unlogged) {
    problem(compared, 'E_DRIFT', `${stream.target} is unlogged: a crash of the server would empty it, while the checkpoint stays.`, [
      `alter table ${quoteRelation(table.relation)} set logged`,
    ]);
  }
  return into;
}

function problem({ into }: Compared, code: Problem['code'], message: string, statements: readonly string[] = []): void {
  into.problems.push({ severity: 'error', code, message, ...(statements.length > 0 ? { statements } : {}) });
}

function warning({ into }: Compared, message: string, statements: readonly string[] = []): void {
  into.problems.push({ severity: 'warning', code: 'E_DRIFT', message, ...(statements.length > 0 ? { statements } : {}) });
}

function alter({ table }: Compared, change: string): string {
  return `alter table ${quoteRelation(table.relation)} ${change}`;
}

function compareField(compared: Compared, field: Field, index: number): void {
  const column = compared.table.columns.find(({ name }) => name === field.name);
  if (column === undefined) addColumn(compared, field, index);
  else if (column.generated) leaveGenerated(compared, field, column);
  else
    compareColumn(compared, {
      field,
      column,
      onLoss: compared.stream.onLoss[index] ?? 'error',
      isKey: compared.stream.shape.key.includes(index),
    });
}

function addColumn(compared: Compared, field: Field, index: number): void {
  const { stream, into, natives } = compared;
  const add = alter(compared, `add column if not exists ${quoteIdentifier(field.name)} ${columnType(field)}`);
  const native = natives.get(nativeText(field) ?? '') ?? { statements: [], problems: [] };
  const isNeeded = stream.shape.key.includes(index) || stream.guard === field.name;
  into.fields.push({
    name: field.name,
    targetType: columnType(field),
    ...(stream.drift.add === 'ignore' && !isNeeded ? { ignored: true } : {}),
  });
  if (stream.shape.key.includes(index)) {
    problem(
      compared,
      'E_DRIFT',
      `${stream.target} has no column '${field.name}', which is part of the key: its rows cannot be told apart. Name another target, or add and fill the column.`,
      [add],
    );
  } else if (stream.drift.add === 'stop' || (isNeeded && stream.drift.add === 'ignore')) {
    problem(
      compared,
      'E_DRIFT',
      `${stream.target} has no column '${field.name}'${isNeeded ? ', which guards against stale writes' : ''}, and drift.add is '${stream.drift.add}'.`,
      [...native.statements, add],
    );
  } else if (stream.drift.add === 'evolve') {
    into.problems.push(...native.problems);
    into.statements.push(...native.statements, add);
  }
}

function leaveGenerated(compared: Compared, field: Field, column: TargetColumn): void {
  compared.into.fields.push({ name: field.name, targetType: column.text, ignored: true });
  warning(compared, `Column '${field.name}' of ${compared.stream.target} is generated: the target computes it, the field is not written.`);
}

interface ColumnPair {
  readonly field: Field;
  readonly column: TargetColumn;
  readonly onLoss: OnLoss;
  readonly isKey: boolean;
}

function compareColumn(compared: Compared, pair: ColumnPair): void {
  const { stream, into, natives } = compared;
  const { field, column, onLoss, isKey } = pair;
  const name = quoteIdentifier(field.name);
  const native = nativeText(field);
  if (native === column.text) {
    const plan = natives.get(native);
    into.problems.push(...(plan?.problems ?? []));
    if ((plan?.statements.length ?? 0) > 0) widen(compared, `The type ${native} lacks values that the source has`, plan?.statements ?? []);
  }
  if (column.identity === 'always' && !isKey) {
    problem(
      compared,
      'E_DRIFT',
      `Column '${field.name}' of ${stream.target} is an identity GENERATED ALWAYS, so its rows cannot be updated.`,
      [alter(compared, `alter column ${name} set generated by default`)],
    );
  }
  const isSameDomain = native === column.text && column.text !== column.baseText;
  if (column.notNull && field.nullable && !isKey && !isSameDomain) {
    warning(compared, `Column '${field.name}' of ${stream.target} is NOT NULL, and the field may be NULL: such rows become dead letters.`, [
      alter(compared, `alter column ${name} drop not null`),
    ]);
  }
  const fit = fitColumn({ field, column, onLoss });
  const isNarrow = fit.kind !== 'raw' && native !== null && column.text === column.baseText && isWideEnough(column.text, native);
  if (isNarrow) {
    into.fields.push({ name: field.name, targetType: native });
    widen(compared, `Column '${field.name}' of ${stream.target} is ${column.text}, the field is ${native}`, [
      alter(compared, `alter column ${name} type ${native}`),
    ]);
    return;
  }
  into.fields.push({ name: field.name, targetType: column.text, ...(fit.loss === undefined ? {} : { loss: `${fit.loss}: ${onLoss}` }) });
  if (isRefused(fit.kind, pair)) {
    const type = columnType(field);
    const message = `Column '${field.name}' of ${stream.target} is ${column.text}, which does not hold every value of ${native ?? type}${fit.loss === undefined ? '' : ` (${fit.loss})`}. Change the column, convert with a mapping, or declare what may be lost with \`onLoss\`.`;
    problem(compared, native === null ? 'E_MAPPING_TYPE' : 'E_DRIFT', message, [
      alter(compared, `alter column ${name} type ${type} using ${name}::${type}`),
    ]);
  }
}

/**
 * A column of the source goes into one that holds all its values, or a policy says what may be lost. A mapped field says by its type what is meant, so
 * values that do not fit are found one by one.
 */
function isRefused(kind: ReturnType<typeof fitColumn>['kind'], { field, onLoss }: ColumnPair): boolean {
  if (kind === 'impossible') return true;
  if (kind === 'raw' || kind === 'exact' || onLoss !== 'error') return false;
  return kind === 'lossy' || nativeText(field) !== null;
}

function widen(compared: Compared, what: string, statements: readonly string[]): void {
  if (compared.stream.drift.retype === 'widen') compared.into.statements.push(...statements);
  else problem(compared, 'E_DRIFT', `${what}, and drift.retype is 'stop'.`, statements);
}

/** ON CONFLICT and every delete find rows by the key. */
function compareKey(compared: Compared): void {
  const { stream, table, into } = compared;
  const columns = stream.shape.key.map((index) => stream.shape.fields[index]?.name ?? '');
  if (!columns.every((name) => table.columns.some((column) => column.name === name))) return;
  if (table.unique.some((index) => index.usable && sameNames(index.columns, columns))) return;
  const name = indexName(table, columns);
  const concurrently = table.kind === 'p' ? '' : ' concurrently';
  const broken = table.unique.some((index) => index.name === name && !index.valid);
  const index = { schema: table.relation.schema, name };
  if (broken) into.statements.push(`drop index${concurrently} if exists ${quoteRelation(index)}`);
  into.statements.push(
    `create unique index${concurrently} if not exists ${quoteIdentifier(name)} on ${quoteRelation(table.relation)} (${quoteIdentifiers(columns)})`,
  );
}

function indexName(table: TargetTable, columns: readonly string[]): string {
  const name = `${[table.relation.name, ...columns].join('_')}_trueup_key`;
  return Buffer.byteLength(name) <= 63 ? name : `${table.oid}_${columns.length}_trueup_key`;
}

function compareMark(compared: Compared): void {
  const { stream, table, into } = compared;
  const name = markName(stream);
  if (name === null) return;
  const column = table.columns.find((candidate) => candidate.name === name);
  if (column === undefined) into.statements.push(alter(compared, `add column if not exists ${quoteIdentifier(name)} ${MARK_TYPE}`));
  else if (markKind(column) === null)
    problem(
      compared,
      'E_DRIFT',
      `The mark column '${name}' of ${stream.target} is ${column.text}; it must be boolean or timestamp with time zone.`,
    );
}

/** Columns of the table that no field fills. */
function compareUnfilled(compared: Compared, column: TargetColumn): void {
  const { stream } = compared;
  const isFilled = stream.shape.fields.some((field) => field.name === column.name) || column.name === markName(stream);
  if (isFilled || column.generated || column.identity !== null) return;
  const name = quoteIdentifier(column.name);
  if (column.notNull && !column.hasDefault) {
    problem(
      compared,
      'E_DRIFT',
      `Column '${column.name}' of ${stream.target} is NOT NULL without a default, and no field fills it. Map a field to it, or let it be NULL.`,
      [alter(compared, `alter column ${name} drop not null`)],
    );
  } else if (stream.drift.drop === 'stop') {
    problem(compared, 'E_DRIFT', `Column '${column.name}' of ${stream.target} has no field that fills it, and drift.drop is 'stop'.`, [
      alter(compared, `drop column ${name}`),
    ]);
  }
}
