import type { LaneColumn, LaneTable } from './table.ts';
import { quoteIdentifier } from '../quote.ts';

/*
 * The statements of a lane, built once per table. A batch is copied into a staging table of the session, then merged by key. In staging, `_i`
 * is the record's index within the batch, `_o` what to do with it, and `c0`, `c1`, … are the lane's columns with no constraint on them.
 */

/** What stands in `_o`. From `STAGED.patch` on, each number is one group of patches that set the same columns. */
export const STAGED = { upsert: 0, delete: 1, parent: 2, patch: 3 } as const;

export interface LaneSql {
  readonly stage: string;
  readonly createStage: string;
  readonly copy: string;
  /** COPY of upserts alone. @param columns indices into the lane's columns, in the order of the cells of a line */
  copyUpserts(columns: readonly number[], binary: boolean): string;
  readonly truncateStage: string;
  readonly upsert: string;
  /** Rows of the target that are newer than the staged one; `null`: no guard. Run after the upsert, which holds their locks. */
  readonly countSuperseded: string | null;
  /** Locks in key order what is about to be removed, so that two writers cannot wait for each other. */
  readonly lockRemoved: string;
  readonly remove: string;
  /** Of the staged deletes, those whose row is there: what `remove` leaves as `unchanged` when it marks. */
  readonly removeAll: { readonly truncate: string | null; readonly remove: string };
}

/** Types whose equality is identity: equal key values need not be written again. Others (citext, numeric, float, interval) may differ and be equal. */
const IDENTITY =
  /^(smallint|integer|bigint|uuid|text|character varying(\(\d+\))?|date|bytea|boolean|numeric\(.*\)|timestamp.*|time without.*)$/;

export function laneSql(lane: LaneTable, number: number): LaneSql {
  const stage = `pg_temp.${quoteIdentifier(`trueup_stage_${letters(number)}`)}`;
  return {
    stage,
    createStage: `create temp table ${stage} (_i int4, _o int4 default ${STAGED.upsert}, ${lane.columns.map(({ column }, index) => `c${index} ${column.baseText}`).join(', ')}) on commit delete rows`,
    copy: `copy ${stage} from stdin`,
    copyUpserts: (columns, binary) =>
      `copy ${stage} (${columns.map((index) => `c${index}`).join(', ')}) from stdin${binary ? ' with (format binary)' : ''}`,
    truncateStage: `truncate ${stage}`,
    upsert: upsertSql(lane, stage),
    countSuperseded: supersededSql(lane, stage, STAGED.upsert),
    lockRemoved: lockSql(lane, stage, `s._o = ${STAGED.delete}`, 'for update of t'),
    remove: `${removeHead(lane)} ${lane.mark ? 'from' : 'using'} ${stage} s where s._o = ${STAGED.delete} and ${keyMatch(lane)}${unmarked(lane)}`,
    removeAll: {
      truncate:
        lane.mark === null && lane.table.privileges.has('TRUNCATE') && !lane.table.watchesDeletes ? `truncate ${lane.target}` : null,
      remove: `${removeHead(lane)} where true${unmarked(lane)}`,
    },
  };
}

/** A name without digits, because the server names it beside the line that failed. */
function letters(number: number): string {
  return [...String(number)].map((digit) => 'abcdefghij'.charAt(Number(digit))).join('');
}

function name({ column }: LaneColumn): string {
  return quoteIdentifier(column.name);
}

/** A staged value as the column's own type, its domain checked. */
function staged({ column }: LaneColumn, index: number): string {
  return `s.c${index}::${column.text}`;
}

function keyMatch(lane: LaneTable): string {
  return lane.key.map((index) => `t.${name(lane.columns[index] as LaneColumn)} = s.c${index}`).join(' and ');
}

function upsertSql(lane: LaneTable, stage: string): string {
  const { columns, key, mark, target } = lane;
  // A row that is written again is no longer marked as deleted, unless the mapping fills the mark itself.
  const cleared = mark !== null && !columns.some(({ column }) => column.name === mark.name) ? [quoteIdentifier(mark.name)] : [];
  const clear = mark?.kind === 'flag' ? 'false' : 'null::timestamptz';
  const all = [...columns.map(name), ...cleared];
  const updated = [
    ...columns
      .filter((column) => !column.key || !IDENTITY.test(column.column.baseText))
      .filter(({ column }) => column.identity !== 'always')
      .map(name),
    ...cleared,
  ];
  const keyNames = key.map((index) => name(columns[index] as LaneColumn)).join(', ');
  const select = [...columns.map((_, index) => `s.c${index}`), ...cleared.map(() => clear)].join(', ');
  const insert = `insert into ${target} as t (${all.join(', ')}) overriding system value select ${select} from ${stage} s where s._o = ${STAGED.upsert} order by ${key.map((index) => `s.c${index}`).join(', ')} on conflict (${keyNames}) do`;
  if (updated.length === 0) return `${insert} nothing`;
  return `${insert} update set ${assign(
    updated,
    updated.map((column) => `excluded.${column}`),
  )} where ${differs(
    updated.map((column) => `t.${column}`),
    updated.map((column) => `excluded.${column}`),
  )}${guarded(lane, (column) => `excluded.${name(column)}`)}`;
}

function assign(columns: readonly string[], values: readonly string[]): string {
  return columns.map((column, index) => `${column} = ${values[index]}`).join(', ');
}

/**
 * Whether two rows differ in a single bit: the function compares images, so it tells 1.0 from 1.00 and 0 from -0, takes types that have no
 * equality (json, point, xml), and ignores collations. Equal values in two images (a compressed one and a plain one) cost a needless update at worst.
 */
function differs(a: readonly string[], b: readonly string[]): string {
  return `pg_catalog.record_image_ne(row(${a.join(', ')}), row(${b.join(', ')}))`;
}

/** A target row without a guard value counts as older; a written one without it never replaces one that has it. */
function guarded(lane: LaneTable, value: (column: LaneColumn, index: number) => string): string {
  const column = lane.columns[lane.guard];
  if (column === undefined) return '';
  const there = `t.${name(column)}`;
  return ` and (${there} is null or ${there} <= ${value(column, lane.guard)})`;
}

function supersededSql(lane: LaneTable, stage: string, op: number): string | null {
  const column = lane.columns[lane.guard];
  if (column === undefined) return null;
  const there = `t.${name(column)}`;
  const given = staged(column, lane.guard);
  return `select count(*) from ${stage} s join ${lane.target} t on ${keyMatch(lane)} where s._o = ${op} and ${there} is not null and (${given} is null or ${there} > ${given})`;
}

function lockSql(lane: LaneTable, stage: string, which: string, how: string): string {
  const order = lane.key.map((index) => `t.${name(lane.columns[index] as LaneColumn)}`).join(', ');
  return `select count(*) from (select 1 from ${lane.target} t join ${stage} s on ${keyMatch(lane)} where ${which} order by ${order} ${how}) locked`;
}

function removeHead({ mark, target }: LaneTable): string {
  if (mark === null) return `delete from ${target} t`;
  return `update ${target} t set ${quoteIdentifier(mark.name)} = ${mark.kind === 'flag' ? 'true' : 'now()'}`;
}

function unmarked({ mark }: LaneTable): string {
  if (mark === null) return '';
  return ` and t.${quoteIdentifier(mark.name)} is ${mark.kind === 'flag' ? 'distinct from true' : 'null'}`;
}

export interface PatchSql {
  /** Locks the rows in key order. */
  readonly lock: string;
  /** Indices of patches without a row. */
  readonly missing: string;
  readonly update: string;
  readonly countSuperseded: string | null;
}

/** @param set indices into the lane's columns that these patches set, keys left out; @param group what stands in `_o` */
export function patchSql(
  lane: LaneTable,
  stage: string,
  { group, set }: { readonly group: number; readonly set: readonly number[] },
): PatchSql {
  const columns = set.map((index) => ({
    to: name(lane.columns[index] as LaneColumn),
    value: staged(lane.columns[index] as LaneColumn, index),
  }));
  const isGuarded = set.includes(lane.guard);
  const update = `update ${lane.target} t set ${assign(
    columns.map(({ to }) => to),
    columns.map(({ value }) => value),
  )} from ${stage} s where s._o = ${group} and ${keyMatch(lane)}`;
  const differing = differs(
    columns.map(({ to }) => `t.${to}`),
    columns.map(({ value }) => value),
  );
  return {
    lock: lockSql(lane, stage, `s._o = ${group}`, 'for no key update of t'),
    missing: `select s._i from ${stage} s where s._o = ${group} and not exists (select from ${lane.target} t where ${keyMatch(lane)})`,
    update: `${update} and ${differing}${isGuarded ? guarded(lane, staged) : ''}`,
    countSuperseded: isGuarded ? supersededSql(lane, stage, group) : null,
  };
}

/** Whether there are rows of staged parents. @param fields indices into the lane's columns that name the parent */
export function parentRowsSql(lane: LaneTable, stage: string, fields: readonly number[]): string {
  return `select exists (select from ${stage} s where s._o = ${STAGED.parent} and exists (select from ${lane.target} t where ${parentMatch(lane, fields)}))`;
}

function parentMatch(lane: LaneTable, fields: readonly number[]): string {
  return fields.map((index) => `t.${name(lane.columns[index] as LaneColumn)} = s.c${index}`).join(' and ');
}

/** Removes the rows of staged parents that are not staged themselves. @param fields indices into the lane's columns that name the parent */
export function removeUnlistedSql(lane: LaneTable, stage: string, fields: readonly number[]): string {
  const parents = `exists (select from ${stage} s where s._o = ${STAGED.parent} and ${parentMatch(lane, fields)})`;
  return `${removeHead(lane)} where ${parents} and not exists (select from ${stage} s where s._o not in (${STAGED.delete}, ${STAGED.parent}) and ${keyMatch(lane)})${unmarked(lane)}`;
}
