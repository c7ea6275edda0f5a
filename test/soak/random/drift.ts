import type pg from 'pg';
import { withClient } from '../../servers/postgres-admin.ts';
import { isLookedAt } from './plan.ts';
import type { PlannedColumn, ScenarioPlan, TablePlan } from './plan.ts';
import type { Random } from './prng.ts';
import { ident, literal } from './sql.ts';
import { full } from './statements.ts';
import { columnType } from './texts.ts';
import { ALL_KINDS, KINDS } from './values.ts';

interface Change {
  readonly what: string;
  readonly alter: string;
  /** For the shadow of the table. Default: the same. */
  readonly alterShadow?: string;
  /** After it, in the same transaction: a migration writes the rows that it changes. */
  readonly migrate?: string;
  done(): void;
}

/** Changes the columns of one table while others write and read it. Returns what was done; `null`: it could not have the table in time. */
export async function changeColumns(url: string, plan: ScenarioPlan, random: Random): Promise<string | null> {
  const table = random.pick(plan.tables);
  const change = someChange(table, random);
  if (change === null) return null;
  return withClient(url, async (client) => {
    for (let attempt = 0; attempt < 4; attempt += 1) if (await tried(client, table, change)) return `${table.name}: ${change.what}`;
    return null;
  });
}

async function tried(client: pg.Client, table: TablePlan, change: Change): Promise<boolean> {
  try {
    await client.query(
      `begin; set local lock_timeout = '700ms'; alter table ${full(table)} ${change.alter}; alter table audit.${ident(table.name)} ${change.alterShadow ?? change.alter}; ${change.migrate ?? 'select 1'}; commit`,
    );
    change.done();
    return true;
  } catch (error) {
    await client.query('rollback');
    if (!['55P03', '40P01'].includes((error as { code?: string }).code ?? '')) throw error;
    return false;
  }
}

function someChange(table: TablePlan, random: Random): Change | null {
  const free = table.columns.filter((column) => !isLookedAt(table, column));
  const carried = (column: PlannedColumn) => table.mapping?.some((field) => field.reads.includes(column.name)) === true;
  const wider = free.filter((column) => KINDS[column.kind] !== undefined && 'wider' in KINDS[column.kind] && column.sqlType === undefined);
  // The target keeps the column, and has made it NOT NULL where the source had: then the run asks for a person.
  const droppable = table.columns.length < 2 ? [] : free.filter((column) => column.nullable && !carried(column));
  return random.weighted<() => Change | null>([
    [3, () => added(table, random)],
    [wider.length > 0 ? 3 : 0, () => widened(random.pick(wider))],
    [droppable.length > 0 ? 2 : 0, () => dropped(table, random.pick(droppable))],
  ])();
}

function added(table: TablePlan, random: Random): Change {
  const column: PlannedColumn = {
    name: `added ${table.columns.length} ${random.int(100, 999)}`,
    kind: random.pick(ALL_KINDS),
    nullable: true,
  };
  const { field, stamps, by } = table.method;
  const withDefault = by !== 'sequence' && random.chance(0.4);
  const value = withDefault ? ` default ${literal(KINDS[column.kind].value(random))}` : '';
  const stamp =
    field === undefined
      ? `${ident(column.name)} = ${ident(column.name)}`
      : `${field} = ${random.pick(stamps.filter((one) => one !== 'null'))}`;
  return {
    what: `column '${column.name}' added (${column.kind}${withDefault ? ', with a default that every row was written for' : ''})`,
    alter: `add column ${ident(column.name)} ${columnType(column)}${value}`,
    alterShadow: `add column ${ident(column.name)} ${columnType(column)}`,
    ...(withDefault ? { migrate: `update ${full(table)} set ${stamp}` } : {}),
    done: () => void table.columns.push(column),
  };
}

function widened(column: PlannedColumn): Change {
  const type = (KINDS[column.kind] as { wider: string }).wider;
  return {
    what: `column '${column.name}' widened to ${type}`,
    alter: `alter column ${ident(column.name)} type ${type}`,
    done: () => void (column.sqlType = type),
  };
}

function dropped(table: TablePlan, column: PlannedColumn): Change {
  return {
    what: `column '${column.name}' dropped`,
    alter: `drop column ${ident(column.name)}`,
    done: () => void table.columns.splice(table.columns.indexOf(column), 1),
  };
}
