import { KEY_KINDS, keyUniverse } from './keys.ts';
import type { KeyKind } from './keys.ts';
import { computedField, keyField, someCondition } from './mapping-fields.ts';
import type { Condition, FieldRule } from './mapping-fields.ts';
import type { Random } from './prng.ts';
import { ident } from './sql.ts';
import { ALL_KINDS } from './values.ts';
import type { KindName } from './values.ts';

/* What a scenario consists of: drawn from a seed, plain data. Tables change while it runs (drift); nothing else does. */

export interface PlannedColumn {
  readonly name: string;
  kind: KindName;
  /** In the source at the moment; `kind` says how values are drawn. */
  sqlType?: string;
  readonly nullable: boolean;
}

/** How changes are found, and what a write must set for it. */
export interface Method {
  readonly by: 'cursor' | 'sequence' | 'xmin' | 'snapshot';
  readonly field?: string;
  readonly fieldType?: string;
  /** Values for `field` in a write: SQL. */
  readonly stamps: readonly string[];
}

export interface TargetField extends FieldRule {
  readonly name: string;
  readonly inKey: boolean;
  /** Source columns that it is made of. */
  readonly reads: readonly string[];
  readonly computed: boolean;
}

export interface TablePlan {
  readonly name: string;
  /** In the target, without its schema. */
  readonly target: string;
  readonly partitioned: boolean;
  readonly method: Method;
  readonly key: readonly PlannedColumn[];
  readonly universe: readonly (readonly string[])[];
  /** Beside the key and the cursor column. Changed by drift. */
  readonly columns: PlannedColumn[];
  /** `null`: every field under its own name. */
  readonly mapping: readonly TargetField[] | null;
  readonly mappingWhere: Condition | null;
  readonly where: Condition | null;
  readonly deletesWhen: Condition | null;
  /** Both sides are compared in every run, so that hard deletes arrive. */
  readonly compares: boolean;
  readonly onDelete: 'delete' | 'ignore' | 'mark';
  readonly onExit: 'delete' | 'keep';
  readonly guard: boolean;
  readonly backfillPartitions: number;
  readonly lookback: string | null;
  readonly rowsAtStart: number;
}

export interface ScenarioPlan {
  readonly seed: number;
  readonly tables: readonly TablePlan[];
  readonly batchRows: number;
  readonly batchBytes: string;
  readonly checkpoints: 'atomic' | 'state' | null;
  readonly concurrency: number;
  /** Settings of the databases that readers must not depend on. */
  readonly settings: readonly string[];
  readonly writers: number;
}

const TABLE_NAMES = ['orders', 'Order "Lines"', 'größe_😀', 'a.b', 'select', 'with space'] as const;
const COLUMN_NAMES = [
  'total',
  'Größe',
  'order',
  'a.b',
  'note "x"',
  'status_code',
  'x y',
  '列',
  'payload',
  'z',
  'flag',
  'v1',
  'v2',
  'v3',
] as const;

export function generatePlan(seed: number, random: Random): ScenarioPlan {
  const names = random.sample(TABLE_NAMES, random.int(2, 3));
  return {
    seed,
    tables: names.map((name) => generateTable(name, random.fork(`table ${name}`))),
    batchRows: random.pick([1, 7, 50, 300, 10_000]),
    batchBytes: random.pick(['64KiB', '256KiB', '8MiB']),
    checkpoints: random.weighted([
      [4, null],
      [3, 'atomic'],
      [3, 'state'],
    ]),
    concurrency: random.int(1, 4),
    settings: random.sample(
      [
        `timezone = 'Asia/Kolkata'`,
        `datestyle = 'German, DMY'`,
        `intervalstyle = 'sql_standard'`,
        `extra_float_digits = 0`,
        `bytea_output = 'escape'`,
        `search_path = '"$user"'`,
      ],
      random.int(0, 6),
    ),
    writers: random.int(4, 8),
  };
}

function generateTable(name: string, random: Random): TablePlan {
  const names = random.sample(COLUMN_NAMES, COLUMN_NAMES.length);
  const take = () => names.pop() as string;
  const keyKinds = Array.from(
    {
      length: random.weighted([
        [6, 1],
        [3, 2],
        [1, 3],
      ]),
    },
    () => random.pick(KEY_KINDS),
  );
  const key = keyKinds.map((kind): PlannedColumn => ({ name: take(), kind, nullable: false }));
  const universe = keyUniverse(keyKinds as KeyKind[], random.pick([30, 120, 600]), random);
  const columns = Array.from({ length: random.int(2, 7) }, (): PlannedColumn => ({
    name: take(),
    kind: someKind(random),
    nullable: random.chance(0.75),
  }));
  const method = someMethod(random);
  const deletesWhen = method.by !== 'sequence' && random.chance(0.35) ? { cel: 'gone', sql: 'gone' } : null;
  if (deletesWhen !== null) columns.push({ name: 'gone', kind: 'bool', nullable: true });
  const mapping = random.chance(0.6) ? someMapping({ key, columns, method }, random) : null;
  const compares = method.by === 'snapshot' || random.chance(0.35);
  const data = columns.filter((column) => column.name !== 'gone');
  return {
    name,
    target: random.chance(0.5) ? name : `copy of ${name}`,
    partitioned: method.by !== 'xmin' && random.chance(0.12),
    method,
    key,
    universe,
    columns,
    mapping,
    mappingWhere: mapping !== null && random.chance(0.3) ? someCondition(data, random) : null,
    where: random.chance(0.25) ? someCondition(data, random) : null,
    deletesWhen,
    compares,
    onDelete: random.weighted([
      [6, 'delete'],
      [2, 'mark'],
      [compares ? 0 : 2, 'ignore'],
    ] as const),
    onExit: random.chance(0.8) ? 'delete' : 'keep',
    guard:
      method.stamps.length === 1 &&
      method.stamps[0] === 'clock_timestamp()' &&
      (mapping === null || mapping.some(({ name: field }) => field === method.field)) &&
      random.chance(0.5),
    backfillPartitions: random.int(1, 8),
    lookback: method.by === 'cursor' && method.fieldType === 'timestamptz' && random.chance(0.2) ? '2s' : null,
    rowsAtStart: random.pick([0, 1, Math.floor(universe.length / 2), universe.length]),
  };
}

function someKind(random: Random): KindName {
  return random.chance(0.4)
    ? random.pick<KindName>(['int4', 'text', 'status', 'bool', 'money', 'civil', 'document', 'int8'])
    : random.pick(ALL_KINDS);
}

const INSTANTS = ['now()', 'clock_timestamp()'] as const;

function someMethod(random: Random): Method {
  return random.weighted<Method>([
    [3, { by: 'xmin', stamps: [] }],
    [3, { by: 'snapshot', stamps: [] }],
    [3, { by: 'sequence', field: 'seq', fieldType: 'bigint', stamps: [] }],
    [5, { by: 'cursor', field: 'rev', fieldType: 'timestamptz', stamps: [...INSTANTS, ...INSTANTS, 'null', `'infinity'`] }],
    [4, { by: 'cursor', field: 'rev', fieldType: 'timestamptz', stamps: ['now()'] }],
    [4, { by: 'cursor', field: 'rev', fieldType: 'timestamptz', stamps: ['clock_timestamp()'] }],
    [2, { by: 'cursor', field: 'rev', fieldType: 'timestamp', stamps: ['localtimestamp', 'clock_timestamp()::timestamp'] }],
    [1, { by: 'cursor', field: 'rev', fieldType: 'date', stamps: ['current_date', 'null'] }],
    [3, { by: 'cursor', field: 'rev', fieldType: 'bigint', stamps: ["nextval('public.revisions')"] }],
  ]);
}

function someMapping({ key, columns, method }: Pick<TablePlan, 'key' | 'columns' | 'method'>, random: Random): TargetField[] {
  const fields = key.map((column): TargetField => ({
    ...fieldOf(column, random.chance(0.2) ? keyField(column, random) : null),
    name: newName(column.name, random),
    inKey: true,
  }));
  for (const column of columns) {
    if (random.chance(0.15)) continue; // left out
    const computed = random.chance(0.6) ? computedField(column, random) : null;
    fields.push({ ...fieldOf(column, computed), name: newName(column.name, random), inKey: false });
    if (computed !== null && random.chance(0.5))
      fields.push({ ...fieldOf(column, null), name: `${column.name.replaceAll('.', '·')} raw`, inKey: false });
  }
  if (method.field !== undefined && random.chance(0.6))
    fields.push({ yaml: method.field, sql: method.field, name: method.field, inKey: false, reads: [method.field], computed: false });
  if (random.chance(0.3))
    fields.push({
      yaml: '{ const: "ein Wert", type: text }',
      sql: `'ein Wert'::text`,
      name: 'fixed',
      inKey: false,
      reads: [],
      computed: false,
    });
  return random.sample(fields, fields.length);
}

function fieldOf(column: PlannedColumn, rule: FieldRule | null): Omit<TargetField, 'name' | 'inKey'> {
  const plain: FieldRule = { yaml: JSON.stringify(column.name.replaceAll('.', String.raw`\.`)), sql: ident(column.name) };
  return { ...(rule ?? plain), reads: [column.name], computed: rule !== null };
}

/** Without dots, which nest where the target nests. */
function newName(name: string, random: Random): string {
  return (random.chance(0.35) ? `${name}_neu` : name).replaceAll('.', '·');
}

/** The column of the target that marks deletes, where they are marked. */
export const MARK = 'removed_at';

/** What the columns of the target hold at the moment: the mapping, or every column there is. */
export function targetFields(table: TablePlan): readonly TargetField[] {
  if (table.mapping !== null) return table.mapping;
  const stamp = table.method.field === undefined ? [] : [{ name: table.method.field }];
  return [...table.key, ...stamp, ...table.columns].map(({ name }, index) => ({
    name,
    yaml: '',
    sql: ident(name),
    inKey: index < table.key.length,
    reads: [name],
    computed: false,
  }));
}

/** Columns that drift may not take away or retype: keys, and what conditions and formulas look at. */
export function isLookedAt(table: TablePlan, column: PlannedColumn): boolean {
  const conditions = [table.where, table.mappingWhere, table.deletesWhen].some(
    (condition) => condition?.sql.includes(ident(column.name)) === true || column.name === 'gone',
  );
  return conditions || (table.mapping ?? []).some((field) => field.computed && field.reads.includes(column.name));
}

/** Rows that become dead letters, as SQL; `null`: none. */
export function faultSql(table: TablePlan): string | null {
  const faults = (table.mapping ?? []).flatMap((field) => (field.faultSql === undefined ? [] : [field.faultSql]));
  return faults.length === 0 ? null : faults.map((one) => `(${one})`).join(' or ');
}
