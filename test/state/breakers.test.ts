import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import postgres from '../../connectors/postgres/index.ts';
import type { BreakerRecord, StateStore } from '../../src/model/checkpoint.ts';
import { MIGRATIONS } from '../../src/state/sqlite-schema.ts';
import { openSqliteState } from '../../src/state/sqlite-state.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';

const NEVER = new AbortController().signal;
const OPEN: BreakerRecord = {
  connection: 'shop',
  state: 'open',
  since: '2026-11-28T12:00:00.123Z',
  failures: 5,
  lastCode: 'E_UNREACHABLE',
};
const CLOSED: BreakerRecord = { connection: 'shop', state: 'closed', since: '2026-11-28T12:01:00.000Z', failures: 0 };

/** What every store of circuit breakers keeps. @param open another process, each time */
async function expectKeeps(open: () => StateStore): Promise<void> {
  const first = open();
  expect(await first.breakers?.list(NEVER)).toEqual([]);
  await first.breakers?.save({ ...CLOSED, connection: 'crm' }, NEVER);
  await first.breakers?.save(OPEN, NEVER);
  const second = open();
  expect(await second.breakers?.list(NEVER)).toEqual([{ ...CLOSED, connection: 'crm' }, OPEN]);
  await second.breakers?.save(CLOSED, NEVER);
  expect(await first.breakers?.list(NEVER)).toEqual([{ ...CLOSED, connection: 'crm' }, CLOSED]);
  await Promise.all([first.close(), second.close()]);
}

async function stateFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-state-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, 'state.db');
}

describe('circuit breakers in a state file', () => {
  it('are kept by connection, the last word of each', async () => {
    const file = await stateFile();
    await expectKeeps(() => openSqliteState(file));
  });

  it('find room in a file of an earlier version, whose history stays', async () => {
    const file = await stateFile();
    const old = openSqliteState(file);
    await old.runs.save({ run: '1', job: 'a', command: 'run', startedAt: '2026-01-01T00:00:00Z', status: 'succeeded' }, NEVER);
    await old.close();
    const database = new DatabaseSync(file);
    database.exec(`drop table breakers; pragma user_version = ${MIGRATIONS.length - 1}`);
    database.close();
    const now = openSqliteState(file);
    onTestFinished(() => now.close());
    expect(await now.runs.list({}, NEVER)).toHaveLength(1);
    expect(await now.breakers?.list(NEVER)).toEqual([]);
  });
});

describeWithPostgres('circuit breakers in Postgres', () => {
  it('are kept by connection, the last word of each', async () => {
    const database = await createDatabase('breakers');
    onTestFinished(() => database.drop());
    const context = { connection: 'state', baseDir: '/', log: { debug() {}, info() {}, warn() {}, error() {} } };
    const open = (): StateStore =>
      postgres.openState?.(postgres.options.parse({ url: database.url }), context) ?? expect.unreachable('a store');
    await expectKeeps(open);
  });
});
