import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import sqlite from '../src/index.ts';

/** A database file of a test's own, and the connector on it. */
export interface TestFile {
  readonly path: string;
  /** Past the connector. */
  readonly database: DatabaseSync;
  source(): NonNullable<ReturnType<NonNullable<typeof sqlite.openSource>>>;
  target(): NonNullable<ReturnType<NonNullable<typeof sqlite.openTarget>>>;
  close(): Promise<void>;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export function createFile(): TestFile {
  const baseDir = mkdtempSync(join(tmpdir(), 'trueup-sqlite-'));
  const options = sqlite.options.parse({ path: 'test.db', pollMs: 20 });
  const context = { connection: 'test', log: silent, baseDir };
  const path = join(baseDir, 'test.db');
  const database = new DatabaseSync(path, { timeout: 5_000 });
  return {
    path,
    database,
    source: () => sqlite.openSource?.(options, context) ?? fail('source'),
    target: () => sqlite.openTarget?.(options, context) ?? fail('target'),
    close: async () => {
      database.close();
      rmSync(baseDir, { recursive: true, force: true });
    },
  };
}

function fail(what: string): never {
  throw new Error(`the connector opens no ${what}`);
}
