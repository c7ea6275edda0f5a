import type { TestProject } from 'vitest/node';
import { findPostgres } from './find-postgres.ts';
import type { PostgresOrigin } from './find-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgres: { origin: PostgresOrigin; url: string } | { origin: 'none'; reason: string };
  }
}

/** Enough for all test files at once: 2PC and logical slots included. Nothing here has to survive a power cut. */
const SETTINGS = {
  max_connections: 300,
  max_prepared_transactions: 100,
  wal_level: 'logical',
  fsync: 'off',
  max_replication_slots: 20,
  max_wal_senders: 20,
};

/** One server per run; each test file makes its own databases in it. */
export default async function setup(project: Pick<TestProject, 'provide'>, find = findPostgres): Promise<() => Promise<void>> {
  const found = await find(SETTINGS);
  if (found.origin === 'none') {
    if (required('postgres')) throw new Error(`TRUEUP_TEST_REQUIRE asks for postgres, but there is none: ${found.reason}.`);
    process.stderr.write(`\n*** Tests that need PostgreSQL are SKIPPED: ${found.reason}. ***\n\n`);
    project.provide('postgres', { origin: 'none', reason: found.reason });
    return async () => {};
  }
  project.provide('postgres', { origin: found.origin, url: found.url });
  return () => found.stop();
}

function required(server: string): boolean {
  const wanted = process.env['TRUEUP_TEST_REQUIRE'] ?? '';
  return wanted
    .split(',')
    .map((name) => name.trim())
    .includes(server);
}
