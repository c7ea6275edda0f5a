import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { TargetPlan } from '../../../src/sdk.ts';
import type { Session } from '../session/session.ts';

/** The object is there already, which is what the statement was for: schema, table, column, type, enum label. */
const THERE_ALREADY = new Set(['42P06', '42P07', '42701', '42710']);
const POLL_MS = 100;

/**
 * Runs the statements of a plan, one at a time and each in a transaction of its own, as `create index concurrently` needs. One process at a time: a
 * lock is asked for again and again rather than waited for, because a waiting statement would hold up exactly that index.
 */
export async function applyPlan(session: Session, plan: TargetPlan, signal: AbortSignal): Promise<void> {
  const statements = [...new Set(plan.streams.flatMap((stream) => stream.statements))];
  if (statements.length === 0) return;
  await lock(session, signal);
  try {
    for (const statement of statements) await runStatement(session, statement);
  } finally {
    await session.query(`select pg_advisory_unlock(${LOCK})`).catch(() => undefined);
  }
}

const LOCK = `hashtextextended('trueup ddl', 0)`;

async function lock(session: Session, signal: AbortSignal): Promise<void> {
  for (;;) {
    const [row] = await session.query(`select pg_try_advisory_lock(${LOCK})::int`);
    if (row?.[0] === '1') return;
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function runStatement(session: Session, statement: string): Promise<void> {
  try {
    if (await schemaExists(session, statement)) return;
    await session.query(statement);
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    const state = (error.details.cause as { readonly code?: string } | undefined)?.code ?? '';
    if (THERE_ALREADY.has(state)) return;
    const code = error.fault === 'record' || error.fault === 'order' || error.fault === 'bug' ? 'E_DRIFT' : error.code;
    throw new TrueupError(code, `The target cannot be changed as planned: ${error.message} Statement: ${statement}`, {
      cause: error,
      statements: [statement],
    });
  }
}

/** `create schema if not exists` wants the privilege to create it even where it exists. */
async function schemaExists(session: Session, statement: string): Promise<boolean> {
  const name = /^create schema if not exists (.+)$/.exec(statement)?.[1];
  if (name === undefined) return false;
  const [row] = await session.query('select to_regnamespace($1)::text', [name]);
  return (row?.[0] ?? null) !== null;
}
