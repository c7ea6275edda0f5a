import type pg from 'pg';
import { withClient } from '../../servers/postgres-admin.ts';
import { MARK, faultSql, targetFields } from './plan.ts';
import type { ScenarioPlan, TablePlan, TargetField } from './plan.ts';
import { ident, literal } from './sql.ts';
import { full } from './statements.ts';

/*
 * What the target must hold, computed by PostgreSQL from the source and from every version that its rows ever had (schema `audit`). Nothing of
 * trueup takes part. Call it when a run ended well that began and ended while nobody committed.
 *
 *   a row that is there, and passes       the target holds exactly what SQL makes of it
 *   a row that is there, and is left out  the target does not hold its key
 *   a row that is gone, where both sides are compared   the target does not hold its key
 *   where no change method or policy delivers that (hard deletes, `onDelete: ignore`, `onExit: keep`, dead letters):
 *                                         the target holds what it held at the last check, or what one of the versions since then makes of it
 */

export interface Checked {
  readonly table: string;
  /** Rows of the source that the target must hold. */
  readonly rows: number;
  /** Rows of the target whose key the source does not have. */
  readonly extra: number;
  /** Rows of the target that a policy keeps, though the source's row is left out. */
  readonly kept: number;
  /** Keys of the source whose row cannot be mapped now. */
  readonly faulty: readonly string[];
}

export interface Oracle {
  /** @throws an Error that lists what is wrong */
  check(): Promise<readonly Checked[]>;
}

/** Absent, or the texts of all its fields as JSON. */
type State = string | null;

interface SourceRow {
  readonly key: string;
  /** `left out`: by a filter or as a soft delete; `fault`: a dead letter. */
  readonly fate: 'passes' | 'filtered' | 'deleted' | 'fault';
  readonly fields: string;
}

export function createOracle(plan: ScenarioPlan, sourceUrl: string, targetUrl: string): Oracle {
  const before = new Map(plan.tables.map((table) => [table, new Map<string, string>()]));
  let number = 0;
  return {
    check: () =>
      withReader(sourceUrl, (source) =>
        withReader(targetUrl, async (target) => {
          number += 1;
          const results: Checked[] = [];
          for (const table of plan.tables) {
            const found = await targetRows(target, table);
            const current = await sourceRows(source, table, full(table));
            const versions = await sourceRows(
              source,
              table,
              `new_versions`,
              `with new_versions as (update audit.${ident(table.name)} set checked = ${number} where checked is null returning *)`,
            );
            const problems = compare({ table, found, current, versions, before: before.get(table) as Map<string, string> });
            if (problems.wrong.length > 0) throw new Error(await describe(source, table, problems.wrong));
            before.set(table, found.rows);
            results.push(problems.checked);
          }
          return results;
        }),
      ),
  };
}

/** A session whose texts do not depend on what the database or the role is set to. */
async function withReader<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient(url, async (client) => {
    await client.query(
      `set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set extra_float_digits = 1; set bytea_output = 'hex'; set search_path = pg_catalog`,
    );
    return use(client);
  });
}

function fieldText(sql: string, field: TargetField): string {
  return field.byValue === true ? `trim_scale((${sql})::numeric)::text` : `(${sql})::text`;
}

/** Keys tell rows apart by value: 1.0 is 1.00. */
function keyTexts(table: TablePlan, sqlOf: (field: TargetField) => string): string[] {
  const isNumeric = (field: TargetField) =>
    field.byValue === true || table.key.some(({ name, kind }) => kind === 'numeric' && field.reads.includes(name));
  return targetFields(table)
    .filter((field) => field.inKey)
    .map((field) => fieldText(sqlOf(field), isNumeric(field) ? { ...field, byValue: true } : field));
}

const rowSql = (texts: readonly string[]): string => `json_build_array(${texts.join(', ')})::text`;

/** NULLs are left out, so that a column that was added later makes no difference to rows that do not have it. */
function stateSql(fields: readonly TargetField[], sqlOf: (field: TargetField) => string): string {
  return `json_strip_nulls(json_build_object(${fields.map((field) => `${literal(field.name)}, ${fieldText(sqlOf(field), field)}`).join(', ')}))::text`;
}

interface TargetRows {
  readonly rows: Map<string, string>;
  /** Keys of rows that are there, and marked as deleted. */
  readonly marked: ReadonlySet<string>;
}

async function targetRows(target: pg.Client, table: TablePlan): Promise<TargetRows> {
  const fields = targetFields(table);
  const key = keyTexts(table, ({ name }) => ident(name));
  const text = `select ${rowSql(key)} as key, ${stateSql(fields, ({ name }) => ident(name))} as fields, ${table.onDelete === 'mark' ? `${MARK} is not null` : 'false'} as marked from public.${ident(table.target)}`;
  const { rows } = await target.query<{ key: string; fields: string; marked: boolean }>(text);
  return {
    rows: new Map(rows.filter(({ marked }) => !marked).map((row) => [row.key, row.fields])),
    marked: new Set(rows.filter(({ marked }) => marked).map((row) => row.key)),
  };
}

async function sourceRows(source: pg.Client, table: TablePlan, from: string, head = ''): Promise<SourceRow[]> {
  const fields = targetFields(table);
  const key = keyTexts(table, ({ sql }) => sql);
  const conditions = [table.where, table.mappingWhere].flatMap((condition) => (condition === null ? [] : [`(${condition.sql})`]));
  const passes = conditions.length === 0 ? 'true' : `(${conditions.join(' and ')}) is true`;
  const fate = `case when ${table.deletesWhen === null ? 'false' : `(${table.deletesWhen.sql}) is true`} then 'deleted' when not ${passes} then 'filtered' when ${faultSql(table) ?? 'false'} then 'fault' else 'passes' end`;
  const text = `${head} select ${rowSql(key)} as key, ${fate} as fate, ${stateSql(fields, ({ sql }) => sql)} as fields from ${from}`;
  return (await source.query<SourceRow & pg.QueryResultRow>(text)).rows;
}

interface Comparison {
  readonly table: TablePlan;
  readonly found: TargetRows;
  readonly current: readonly SourceRow[];
  readonly versions: readonly SourceRow[];
  readonly before: ReadonlyMap<string, string>;
}

interface Wrong {
  readonly key: string;
  readonly what: string;
  readonly expected: readonly State[];
  readonly found: State;
}

function compare({ table, found, current, versions, before }: Comparison): { wrong: readonly Wrong[]; checked: Checked } {
  const now = new Map(current.map((row) => [row.key, row]));
  const past = Map.groupBy(versions, ({ key }) => key);
  const wrong: Wrong[] = [];
  const comparable = comparableState(table);
  const count = { rows: 0, extra: 0, kept: 0 };
  for (const key of new Set([...now.keys(), ...past.keys(), ...before.keys(), ...found.rows.keys()])) {
    const row = now.get(key);
    const state = found.rows.get(key) ?? null;
    const exact = row === undefined ? goneState(table) : exactState(table, row);
    const expected = exact === undefined ? possibleStates(table, before.get(key) ?? null, past.get(key) ?? []) : [exact];
    const isRight = exact === undefined ? expected.map(comparable).includes(comparable(state)) : exact === state;
    if (table.onDelete === 'mark' && state === null && before.has(key) && !found.marked.has(key))
      wrong.push({ key, what: 'removed instead of marked', expected, found: state });
    if (!isRight) wrong.push({ key, what: row === undefined ? 'not in the source' : row.fate, expected, found: state });
    if (row?.fate === 'passes') count.rows += 1;
    else if (state !== null && row?.fate !== 'fault') count[row === undefined ? 'extra' : 'kept'] += 1;
  }
  const faulty = current.filter(({ fate }) => fate === 'fault').map(({ key }) => key);
  return { wrong, checked: { table: table.name, ...count, faulty } };
}

/** Of a key that the source does not have. */
function goneState({ compares, onDelete }: TablePlan): State | undefined {
  return compares && onDelete !== 'ignore' ? null : undefined;
}

/** `undefined`: more than one state is right. */
function exactState(table: TablePlan, row: SourceRow): State | undefined {
  switch (row.fate) {
    case 'passes':
      return row.fields;
    case 'filtered':
      return table.onExit === 'delete' && table.onDelete !== 'ignore' ? null : undefined; // An exit is a delete.
    case 'deleted':
      return table.onDelete !== 'ignore' ? null : undefined;
    case 'fault':
      return undefined;
  }
}

/** Of rows that nothing writes again, in columns that are there and have not been retyped: the target may show another text of the same value. */
function comparableState(table: TablePlan): (state: State) => State {
  const names = new Set(
    targetFields(table)
      .filter((field) => field.reads.every((name) => table.columns.find((column) => column.name === name)?.sqlType === undefined))
      .map(({ name }) => name),
  );
  return (state) =>
    state === null ? null : JSON.stringify(Object.entries(JSON.parse(state) as object).filter(([name]) => names.has(name)));
}

function possibleStates(table: TablePlan, before: State, versions: readonly SourceRow[]): State[] {
  return [before, ...versions.flatMap((version) => exactState(table, version) ?? (exactState(table, version) === null ? [null] : []))];
}

/** The rows that are wrong, and everything that happened to the first of them. */
async function describe(source: pg.Client, table: TablePlan, wrong: readonly Wrong[]): Promise<string> {
  const shown = wrong
    .slice(0, 5)
    .map(
      ({ key, what, expected, found }) =>
        `  ${key} (${what})\n    target:   ${short(found)}\n    expected: ${expected.map(short).join('\n          or: ')}`,
    );
  const key = keyTexts(table, ({ sql }) => sql);
  const { rows } = await source.query<{ line: string }>(
    `select concat_ws(' ', 'seq', audit_seq, 'xid', audit_xid, 'check', coalesce(checked, -1), ${table.method.field === undefined ? `''` : `'${table.method.field}', ${table.method.field}`}) as line
       from audit.${ident(table.name)} where ${rowSql(key)} = ${literal(wrong[0]?.key ?? '')} order by audit_seq desc limit 12`,
  );
  return `table ${table.name} (${table.method.by} ${table.method.field ?? ''}): ${wrong.length} rows of the target are not what SQL computes from the source\n${shown.join('\n')}\n  versions of the first, newest first:\n${rows.map(({ line }) => `    ${line}`).join('\n')}`;
}

function short(state: State): string {
  if (state === null) return 'no row';
  return state.length > 600 ? `${state.slice(0, 600)}… (${state.length})` : state;
}
