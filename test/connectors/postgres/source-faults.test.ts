import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { postgresFault } from '../../../connectors/postgres/session/faults.ts';
import { options } from '../../../connectors/postgres/options.ts';
import { openSession, withSession } from '../../../connectors/postgres/session/session.ts';
import { isTrueupError } from '../../../src/sdk.ts';
import { createDatabase, createRole, describeWithPostgres, serverUrl } from '../../servers/postgres.ts';
import { NEVER, testServer } from './source-kit.ts';

async function codeOf(work: Promise<unknown>): Promise<{ code: string; text: string; index?: number | undefined }> {
  try {
    await work;
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    return {
      code: error.code,
      text: `${error.message} ${JSON.stringify(error)} ${String(error.cause)} ${JSON.stringify(error.cause)}`,
      index: error.details.recordIndex,
    };
  }
  throw new Error('nothing was thrown');
}

const connect = (url: string, more = {}) => codeOf(openSession(testServer(url, more), { purpose: 'read', signal: NEVER }));

describe('connecting to nobody', () => {
  it('says E_UNREACHABLE when nothing listens, the name is unknown, or nobody answers in time', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    try {
      expect((await connect('postgres://me:hush@127.0.0.1:1/x')).code).toBe('E_UNREACHABLE');
      expect((await connect('postgres://me:hush@nowhere.invalid/x')).code).toBe('E_UNREACHABLE');
      const began = performance.now();
      const { code, text } = await connect(`postgres://me:hush@127.0.0.1:${port}/x`, { connectTimeout: '300ms' });
      expect(code).toBe('E_UNREACHABLE');
      expect(performance.now() - began).toBeLessThan(2000);
      expect(text).not.toContain('hush');
    } finally {
      silent.close();
    }
  });

  it('refuses a URL that is none without repeating it', () => {
    const url = 'not a url with hush';
    expect(() => testServer(url)).toThrow(
      expect.objectContaining({ code: 'E_CONFIG_INVALID', message: expect.not.stringContaining('hush') as string }),
    );
  });

  it('reads hosts, ports, escapes and TLS modes from a URL, and lets single members win', () => {
    const where = (given: Readonly<Record<string, unknown>>) => testServer('postgres://u%40x:p%2Fw@[::1]:5433/d%20b', given).where;
    expect(where({})).toMatchObject({ host: '::1', port: 5433, user: 'u@x', password: 'p/w', database: 'd b', ssl: false });
    expect(where({ host: 'h', database: 'other', ssl: true })).toMatchObject({ host: 'h', port: 5433, database: 'other', ssl: true });
    expect(options.parse({ lockTimeout: '2m' }).lockTimeout).toBe(120_000);
    expect(() => options.parse({ lockTimeout: 'soon' })).toThrow('a duration such as');
  });
});

describe('faults', () => {
  const thrown = (code: string, more = {}) =>
    postgresFault(Object.assign(new Error('the value "secret" is bad'), { severity: 'ERROR', code, ...more }), { address: 'h:1/d' });

  it.each([
    ['40001', 'E_BUSY'],
    ['40P01', 'E_BUSY'],
    ['55P03', 'E_BUSY'],
    ['53300', 'E_BUSY'],
    ['53100', 'E_RESOURCES'],
    ['57P01', 'E_CONNECTION_LOST'],
    ['08006', 'E_CONNECTION_LOST'],
    ['57014', 'E_TIMEOUT'],
    ['28P01', 'E_ACCESS'],
    ['42501', 'E_ACCESS'],
    ['42P01', 'E_PLAN_CHANGED'],
    ['42703', 'E_PLAN_CHANGED'],
    ['23503', 'E_RECORD_ORDER'],
    ['23505', 'E_RECORD_VALUE'],
    ['22P02', 'E_RECORD_VALUE'],
    ['P0001', 'E_RECORD_VALUE'],
    ['42601', 'E_BUG'],
  ])('takes SQLSTATE %s for %s', (state, code) => {
    expect(thrown(state).code).toBe(code);
  });

  it('tells a broken socket from a fault of its own', () => {
    expect(postgresFault(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), { address: 'h:1/d' }).code).toBe(
      'E_CONNECTION_LOST',
    );
    expect(postgresFault(new TypeError('x is undefined'), { address: 'h:1/d' }).code).toBe('E_BUG');
  });

  it('names column and line of a record fault and never its value', () => {
    const fault = thrown('22P02', { where: 'COPY stage, line 3, column total: "secret"', detail: 'secret', table: 'stage' });
    expect(fault.message).toBe('a text is not of the type (column total, table stage); SQLSTATE 22P02.');
    expect([fault.details.recordIndex, fault.cause]).toEqual([2, undefined]);
  });
});

describeWithPostgres('faults of a real server', () => {
  it('says E_ACCESS for a wrong password, an unknown database and a missing privilege, without the password', async () => {
    const database = await createDatabase('access');
    await database.query('create table t (id int)');
    const role = await createRole('stranger');
    const wrong = new URL(role.url(database.url));
    wrong.password = 'hush-wrong';
    const missing = new URL(database.url);
    missing.pathname = '/no_such_database';
    const answers = [
      await connect(wrong.href),
      await connect(missing.href),
      await codeOf(
        withSession(testServer(role.url(database.url)), { purpose: 'read', signal: NEVER }, (session) => session.query('select * from t')),
      ),
    ];
    expect(answers.map(({ code }) => code)).toEqual(['E_ACCESS', 'E_ACCESS', 'E_ACCESS']);
    expect(answers.map(({ text }) => text).join()).not.toContain('hush');
  });

  it('never writes through a session that reads', async () => {
    const database = await createDatabase('readonly');
    const { code } = await codeOf(
      withSession(testServer(database.url), { purpose: 'read', signal: NEVER }, (session) => session.query('create table x (id int)')),
    );
    expect(code).toBe('E_ACCESS');
  });

  it('cuts a statement at its time limit, and one that waits for a lock at its own', async () => {
    const database = await createDatabase('limits');
    await database.query('create table t (id int)');
    const holder = await database.connect();
    await holder.query('begin; lock table t');
    const inSession = (more: object, sql: string) =>
      codeOf(withSession(testServer(database.url, { ...more }), { purpose: 'read', signal: NEVER }, (session) => session.query(sql)));
    expect((await inSession({ statementTimeout: '100ms' }, 'select pg_sleep(20)')).code).toBe('E_TIMEOUT');
    expect((await inSession({ lockTimeout: '100ms' }, 'select * from t')).code).toBe('E_BUSY');
  });

  it('names the application after the connection', async () => {
    const rows = await withSession(testServer(serverUrl()), { purpose: 'read', signal: NEVER }, (session) =>
      session.query('show application_name'),
    );
    expect(rows).toEqual([['trueup/test']]);
  });

  it('throws the reason of an abort, before, while and after connecting', async () => {
    const reason = new Error('stop');
    const before = openSession(testServer(serverUrl()), { purpose: 'read', signal: AbortSignal.abort(reason) });
    await expect(before).rejects.toBe(reason);
    const stop = new AbortController();
    const opening = openSession(testServer(serverUrl()), { purpose: 'read', signal: stop.signal });
    stop.abort(reason);
    await expect(opening).rejects.toBe(reason);
    const session = await openSession(testServer(serverUrl()), { purpose: 'write', signal: NEVER });
    const later = new AbortController();
    const sleeping = session.run(later.signal, () => session.query('select pg_sleep(30)'));
    later.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(session.query('select 1')).rejects.toBe(reason);
    await session.close();
  });
});
