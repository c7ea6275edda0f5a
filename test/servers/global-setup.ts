import type { TestProject } from 'vitest/node';
import { findMongo } from './find-mongo.ts';
import { findPostgres } from './find-postgres.ts';
import type { PostgresOrigin } from './find-postgres.ts';
import { buildTrueup } from './launcher.ts';
import { serveOnDemand } from './on-demand.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgres: { origin: PostgresOrigin; url: string } | { origin: 'none'; reason: string };
    /** Where to ask for the server: it starts with the first test that does. */
    mongodb: string;
    /** The command, as it is published. */
    launcher: string;
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

/** One server of a kind per run; each test file makes its own databases in it. */
export default async function setup(
  project: Pick<TestProject, 'provide'>,
  find: { postgres?: typeof findPostgres; mongo?: typeof findMongo } = {},
): Promise<() => Promise<void>> {
  const stopPostgres = await setupPostgres(project, find.postgres ?? findPostgres);
  const mongo = await serveOnDemand(() => sharedMongo(find.mongo ?? findMongo));
  project.provide('mongodb', mongo.url);
  const built = await buildTrueup();
  project.provide('launcher', built.launcher);
  return async () => {
    await Promise.all([stopPostgres(), mongo.stop(), built.remove()]);
  };
}

async function setupPostgres(project: Pick<TestProject, 'provide'>, find: typeof findPostgres): Promise<() => Promise<void>> {
  const found = await find(SETTINGS);
  if (found.origin === 'none') {
    refuseIfRequired('postgres', found.reason);
    warnOfSkipped('PostgreSQL', found.reason);
    project.provide('postgres', { origin: 'none', reason: found.reason });
    return async () => {};
  }
  project.provide('postgres', { origin: found.origin, url: found.url });
  return () => found.stop();
}

async function sharedMongo(find: typeof findMongo) {
  const found = await find();
  if (found.origin === 'none') {
    refuseIfRequired('mongodb', found.reason);
    warnOfSkipped('MongoDB', found.reason);
    return { answer: { ...found }, stop: async () => {} };
  }
  const { origin, url, binary, stop } = found;
  return { answer: { origin, url, binary }, stop: () => stop() };
}

function warnOfSkipped(server: string, reason: string): void {
  process.stderr.write(`\n*** Tests that need ${server} are SKIPPED: ${reason}. ***\n\n`);
}

function refuseIfRequired(server: string, reason: string): void {
  if (isRequired(server)) throw new Error(`TRUEUP_TEST_REQUIRE asks for ${server}, but there is none: ${reason}.`);
}

function isRequired(server: string): boolean {
  const wanted = process.env['TRUEUP_TEST_REQUIRE'] ?? '';
  return wanted
    .split(',')
    .map((name) => name.trim())
    .includes(server);
}
