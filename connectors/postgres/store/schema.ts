import { quoteIdentifier } from '../quote.ts';
import type { Session } from '../session/session.ts';
import { isMissing } from './missing.ts';

/** The store's tables, ready to stand in SQL text. */
export interface StoreTables {
  readonly schema: string;
  readonly version: string;
  readonly leases: string;
  readonly checkpoints: string;
  readonly letters: string;
  readonly runs: string;
  readonly breakers: string;
  /** Notes of written batches, see commits.ts. */
  readonly commits: string;
}

export function storeTables(schemaName: string): StoreTables {
  const schema = quoteIdentifier(schemaName);
  const table = (name: string) => `${schema}.${name}`;
  return {
    schema,
    version: table('schema_version'),
    leases: table('leases'),
    checkpoints: table('checkpoints'),
    letters: table('letters'),
    runs: table('runs'),
    breakers: table('breakers'),
    commits: table('commits'),
  };
}

/**
 * One entry per schema version, each a list of statements. An entry that was released never changes: what comes later is a new entry.
 *
 * JSON stands in `json`, never `jsonb`: a cursor comes back exactly as it was written, digits, order and all. A lease without `expires_at`
 * is free; its row stays, because epochs only grow. `lanes` holds `[pid, backend start]` of each backend that writes for the owner. A letter's
 * key may be longer than an index entry can be, so its hash stands for it. `commits` is found by `xmin`, which no index can hold.
 */
export function migrations(tables: StoreTables): readonly (readonly string[])[] {
  return [
    [
      `create table ${tables.leases} (
        job text primary key, epoch int8 not null, run text not null, host text not null, pid int8 not null, process_started text not null,
        acquired_at timestamptz not null, ttl_ms float8 not null, expires_at timestamptz, lanes json not null default '[]')`,
      `create table ${tables.checkpoints} (
        job text not null, feed_id text not null, feed json not null, state text not null, cursor json, cursor_version int4 not null,
        source_identity text not null, plan_hash text not null, position_text text not null, position_time_ms float8,
        run text not null, epoch int8 not null, saved_at timestamptz not null, primary key (job, feed_id))`,
      `create table ${tables.letters} (
        job text not null, stream text not null, key_hash text not null, key text not null, kind text not null, code text not null,
        message text not null, run text not null, failed_at timestamptz not null, attempts int4 not null, payload json,
        primary key (job, stream, key_hash))`,
      `create table ${tables.runs} (
        run text not null, job text not null, command text not null, started_at timestamptz not null, ended_at timestamptz,
        status text not null, exit_code int4, report json, primary key (job, run))`,
      `create index runs_started on ${tables.runs} (started_at desc)`,
    ],
    [
      `create table ${tables.commits} (
        job text not null, run text not null, epoch int8 not null, stream text not null, position text not null, at timestamptz not null)`,
    ],
    [
      `create table ${tables.breakers} (
        connection text primary key, state text not null, since timestamptz not null, failures int4 not null, last_code text)`,
    ],
  ];
}

export const STORE_VERSION = migrations(storeTables('trueup')).length;

/** What an administrator runs where the role may not create the schema itself. */
export function schemaStatements(schemaName: string, role: string): string[] {
  return [`create schema ${quoteIdentifier(schemaName)} authorization ${quoteIdentifier(role)}`];
}

/**
 * Brings the store's schema to this version; safe when several processes start at once. The caller's connection is not in a transaction.
 * @returns the version that was found, so that a newer one can be refused
 */
export async function migrate(session: Session, schemaName: string): Promise<number> {
  const tables = storeTables(schemaName);
  const current = await readVersion(session, tables);
  if (current >= STORE_VERSION) return current;
  await session.query('begin isolation level read committed read write');
  try {
    await session.query(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [`trueup store ${schemaName}`]);
    if (!(await exists(session, 'to_regnamespace', tables.schema))) await session.query(`create schema ${tables.schema}`);
    if (!(await exists(session, 'to_regclass', tables.version))) {
      await session.query(`create table ${tables.version} (version int4 not null, applied_at timestamptz not null default now())`);
    }
    const [row] = await session.query(`select coalesce(max(version), 0) from ${tables.version}`);
    const found = Number(row?.[0]);
    for (const [index, statements] of migrations(tables).entries()) {
      if (index < found) continue;
      for (const statement of statements) await session.query(statement);
      await session.query(`insert into ${tables.version} (version) values ($1)`, [String(index + 1)]);
    }
    await session.query('commit');
    return found;
  } catch (error) {
    await session.query('rollback').catch(() => {});
    throw error;
  }
}

/** 0 where the tables are not there. Versions only grow, so this one is at least what it says. */
async function readVersion(session: Session, tables: StoreTables): Promise<number> {
  try {
    const [row] = await session.query(`select coalesce(max(version), 0) from ${tables.version}`);
    return Number(row?.[0]);
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

async function exists(session: Session, lookup: 'to_regnamespace' | 'to_regclass', name: string): Promise<boolean> {
  const [row] = await session.query(`select ${lookup}($1)::text`, [name]);
  return (row?.[0] ?? null) !== null;
}
