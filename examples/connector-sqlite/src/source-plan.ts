import { isTrueupError } from 'trueup/sdk';
import type { GuaranteeParts, Problem, Shape, SourceStreamPlan, StreamInfo, StreamRef } from 'trueup/sdk';
import { changeTableStatements } from './change-table.ts';
import type { Sql } from './file.ts';
import { IDENTITY_STATEMENTS, isNamed } from './identity.ts';
import { quote } from './quote.ts';
import { isUnique, keyOf, listTables, quoted } from './table.ts';
import type { Table } from './table.ts';
import type { ViewOf } from './read-changes.ts';

export function discover(sql: Sql): StreamInfo[] {
  const tables = listTables(sql);
  const known = new Set(tables.map(({ name }) => name));
  return tables.map((table) => {
    const key = keyOf(table);
    const fields = table.columns.map(({ name, type, nullable, declared }) => ({
      name,
      type,
      nullable: nullable && !key.includes(name),
      native: { system: 'sqlite', type: declared },
    }));
    const shape: Shape = { fields, key: key.map((name) => fields.findIndex((field) => field.name === name)), open: false };
    return {
      name: table.name,
      kind: table.kind,
      shape,
      ...(table.kind === 'table' ? { rowEstimate: rowsOf(sql, table) } : {}),
      changes: [...(canNote(table) ? [{ by: 'log' as const }] : []), { by: 'snapshot' as const }],
      dependsOn: table.refersTo.filter((name) => known.has(name)),
    };
  });
}

function canNote(table: Table): boolean {
  return table.kind === 'table' && keyOf(table).length > 0;
}

function rowsOf(sql: Sql, table: Table): number {
  const [count] = sql.first(`select count(*) from ${quoted(table)}`) ?? [];
  return Number(count ?? 0);
}

const NO_SHAPE: Shape = { fields: [], key: [], open: false };

export function planStream(sql: Sql, viewOf: ViewOf, stream: StreamRef): SourceStreamPlan {
  const common = { stream: stream.name, forms: ['cells' as const], guarantee: guarantee(stream) };
  try {
    const { table, shape } = viewOf(sql, stream);
    const problems = problemsOf(sql, table, stream);
    const notes = problems.length === 0 && stream.changes.by === 'log' ? changeTableStatements(sql, table) : [];
    const names = isNamed(sql) || problems.length > 0 ? [] : IDENTITY_STATEMENTS;
    return { ...common, shape, problems, statements: [...names, ...notes], rowEstimate: table.kind === 'table' ? rowsOf(sql, table) : 0 };
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_STREAM_UNKNOWN') throw error;
    return { ...common, shape: NO_SHAPE, statements: [], problems: [stop(error.code, error.message)] };
  }
}

function stop(code: Problem['code'], message: string): Problem {
  return { severity: 'error', code, message };
}

function problemsOf(sql: Sql, table: Table, stream: StreamRef): Problem[] {
  const { name, query, key, changes } = stream;
  if (query !== undefined) return [stop('E_CHANGES_UNSUPPORTED', `'${name}' is a query: make a view of it and name the view.`)];
  if (changes.by !== 'log' && changes.by !== 'snapshot')
    return [
      stop(
        'E_CHANGES_UNSUPPORTED',
        `SQLite cannot deliver changes of '${name}' by '${changes.by}'. Methods: ${canNote(table) ? 'log, ' : ''}snapshot.`,
      ),
    ];
  if (key.length === 0)
    return [
      stop('E_STREAM_KEY', `'${name}' has no primary key and no unique columns that are NOT NULL; name its key with \`key: [...]\`.`),
    ];
  const own = keyOf(table);
  if (changes.by === 'log') {
    if (!canNote(table))
      return [
        stop('E_CHANGES_UNSUPPORTED', `'${name}' is a view or has no key of its own, so its changes cannot be noted. Methods: snapshot.`),
      ];
    if (own.join('\0') !== key.join('\0'))
      return [stop('E_STREAM_KEY', `Changes of table '${name}' are noted by its own key (${own.join(', ')}), not by ${key.join(', ')}.`)];
  } else if (table.kind === 'table' && !isUnique(table, key)) {
    return [stop('E_STREAM_KEY', `Nothing keeps ${key.join(', ')} unique in table '${name}', byte for byte.`)];
  }
  return nullKeys(sql, table, key);
}

/** SQLite lets a primary key be NULL unless it is declared NOT NULL. */
function nullKeys(sql: Sql, table: Table, key: readonly string[]): Problem[] {
  if (table.kind === 'view') return [];
  const isNull = key.map((name) => `${quote(name)} is null`).join(' or ');
  if (sql.first(`select 1 from ${quoted(table)} where ${isNull} limit 1`) === undefined) return [];
  return [
    stop(
      'E_STREAM_KEY',
      `Rows of table '${table.name}' have NULL in their key (${key.join(', ')}): give them a value, and declare the columns NOT NULL.`,
    ),
  ];
}

/** The source's share of the guarantee. */
export function guarantee({ name, changes }: Pick<StreamRef, 'name' | 'changes'>): GuaranteeParts {
  if (changes.by === 'snapshot') return { lateCommits: 'delivered', deletes: 'never', assumes: [] };
  return {
    lateCommits: 'delivered',
    deletes: 'delivered',
    assumes: [`nobody drops the triggers of ${name}, or replaces a row of another key (INSERT OR REPLACE) with recursive_triggers off`],
  };
}
