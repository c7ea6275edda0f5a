import { realpathSync } from 'node:fs';
import type { Sql } from './file.ts';
import { hasTable } from './table.ts';

/*
 * A file has no name of its own that stays when it is moved, so one is written into it, by whoever writes into it first.
 */

export const IDENTITY_STATEMENTS = [
  'CREATE TABLE IF NOT EXISTS trueup_names (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
  `INSERT OR IGNORE INTO trueup_names VALUES ('identity', lower(hex(randomblob(16))))`,
];

export function isNamed(sql: Sql): boolean {
  return nameOf(sql, 'identity') !== null;
}

export function identityOf(sql: Sql, path: string): string {
  return `sqlite:${nameOf(sql, 'identity') ?? realPath(path)}`;
}

export function nameOf(sql: Sql, name: string): string | null {
  if (!hasTable(sql, 'trueup_names')) return null;
  const [value] = sql.first('select value from trueup_names where name = ?', name) ?? [];
  return typeof value === 'string' ? value : null;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
