import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSqliteVault } from '../../../src/state/sqlite-vault.ts';
import { send, startApi } from './api-server.ts';
import type { ApiServer } from './api-server.ts';
import { drain, openSource, streamRef } from './rest-kit.ts';
import type { Logged } from './rest-kit.ts';

const ITEMS = {
  path: '/items',
  records: 'data',
  key: ['id'],
  fields: { id: 'int64', updated_at: 'timestamptz' },
  pages: { by: 'cursor', param: 'cursor', next: 'meta.next' },
  get: { path: '/items/{id}' },
  changes: { param: 'since', field: 'updated_at' },
};
const CLIENT = { clientId: 'me', clientSecret: 'the client secret' };

/** An API whose tokens are good for so many requests, and whose refresh tokens are good once. */
async function openGuarded(good: number) {
  const api = await startApi();
  const dir = await mkdtemp(join(tmpdir(), 'trueup-oauth-'));
  onTestFinished(async () => {
    await api.close();
    await rm(dir, { recursive: true });
  });
  api.write(
    'items',
    Array.from({ length: 45 }, (_, index) => ({ id: index + 1 })),
  );
  const state = { given: 0, left: new Map<string, number>(), refresh: 'refresh-0', refused: 0, grants: [] as string[], expiresIn: 3600 };
  api.twists.push(({ url, headers, body }, response) => {
    if (url.pathname === '/token') {
      const asked = new URLSearchParams(body);
      const isClient = headers.authorization === `Basic ${Buffer.from('me:the+client+secret').toString('base64')}`;
      const isGood = asked.get('grant_type') === 'client_credentials' || asked.get('refresh_token') === state.refresh;
      if (!isClient || !isGood) {
        state.refused += 1;
        send(response, 400, { error: 'invalid_grant' });
        return true;
      }
      state.given += 1;
      state.grants.push(asked.get('grant_type') ?? '');
      const token = `access-${state.given}`;
      state.left.set(token, good);
      if (asked.has('refresh_token')) state.refresh = `refresh-${state.given}`;
      send(response, 200, {
        access_token: token,
        token_type: 'bearer',
        expires_in: state.expiresIn,
        ...(asked.has('refresh_token') ? { refresh_token: state.refresh } : {}),
      });
      return true;
    }
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    const left = state.left.get(token) ?? 0;
    if (left <= 0) {
      send(response, 401, {});
      return true;
    }
    state.left.set(token, left - 1);
    return false;
  });
  const path = join(dir, 'deep', 'secrets.db');
  const logged: Logged[] = [];
  const open = (oauth2: object) =>
    openSource(api.url, { auth: { oauth2: { tokenUrl: `${api.url}/token`, ...CLIENT, ...oauth2 } }, streams: { items: ITEMS } }, logged, {
      vault: openSqliteVault(path),
    });
  return { api, state, path, logged, open };
}

async function readAll(source: ReturnType<typeof openSource>): Promise<number> {
  try {
    return (await drain(source, streamRef('items'))).rows.length;
  } finally {
    await source.close();
  }
}

describe('client credentials', () => {
  it('are renewed when the token stops being good in the middle of the pages', async () => {
    const { state, open } = await openGuarded(2);
    expect(await readAll(open({ scope: 'read' }))).toBe(45);
    expect(state.given).toBe(3);
  });

  it('are renewed once for requests that are refused together, whose answers come one after another', async () => {
    const { api, state, open } = await openGuarded(1000);
    const source = open({});
    const lookUp = (ids: readonly number[]) =>
      Array.fromAsync(
        source.fetchBy?.(
          streamRef('items'),
          ['id'],
          ids.map((id) => [BigInt(id)]),
          new AbortController().signal,
        ) ?? [],
      );
    await lookUp([1]);
    state.left.clear();
    let refused = 0;
    api.twists.unshift(async ({ url, headers }) => {
      if (url.pathname.startsWith('/items/') && headers.authorization === 'Bearer access-1') await sleep(++refused * 50);
      return false;
    });
    const found = await lookUp([1, 2, 3, 4, 5, 6]);
    await source.close();
    expect(found.reduce((sum, { records }) => sum + records.count, 0)).toBe(6);
    expect([refused, state.given]).toEqual([6, 2]);
  });

  it('stop with E_ACCESS where the server does not give a token, without the secret', async () => {
    const { open, logged } = await openGuarded(9);
    const failure = await readAll(open({ clientSecret: 'another secret' })).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'E_ACCESS', message: expect.stringContaining('invalid_grant') as string });
    expect(`${String(failure)}${JSON.stringify(logged)}`).not.toContain('another secret');
  });

  it('stop with E_ACCESS where a new token is refused as well', async () => {
    const { open, state } = await openGuarded(0);
    await expect(readAll(open({}))).rejects.toMatchObject({ code: 'E_ACCESS' });
    expect(state.given).toBe(2);
  });
});

describe('refresh tokens', () => {
  it('that are replaced are kept for the next process, in a file of this user alone', async () => {
    const { state, open, path, logged } = await openGuarded(2);
    expect(await readAll(open({ refreshToken: 'refresh-0' }))).toBe(45);
    expect(state.refresh).toBe('refresh-3');
    expect(await readAll(open({ refreshToken: 'refresh-0' }))).toBe(45);
    expect(state).toMatchObject({ refused: 0, refresh: 'refresh-5' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(path)).includes('refresh-5')).toBe(true);
    expect(JSON.stringify(logged)).not.toMatch(/refresh-|access-/);
  });

  it('are used by one at a time, however many ask', async () => {
    const { state, open } = await openGuarded(1000);
    const sources = Array.from({ length: 6 }, () => open({ refreshToken: 'refresh-0' }));
    expect(await Promise.all(sources.map(readAll))).toEqual([45, 45, 45, 45, 45, 45]);
    expect(state).toMatchObject({ refused: 0, given: 1 });
  });

  it('of the config begin anew when they are changed', async () => {
    const { state, open } = await openGuarded(1000);
    await readAll(open({ refreshToken: 'refresh-0' }));
    state.refresh = 'granted anew';
    state.left.clear();
    expect(await readAll(open({ refreshToken: 'granted anew' }))).toBe(45);
  });

  it('are renewed before the token runs out', async () => {
    const { state, open } = await openGuarded(1000);
    state.expiresIn = 1;
    const source = open({ refreshToken: 'refresh-0' });
    await drain(source, streamRef('items'));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await drain(source, streamRef('items'));
    await source.close();
    expect(state.given).toBeGreaterThan(1);
    expect(state.refused).toBe(0);
  });
});

it('tokens are never sent to the API of another origin', async () => {
  const { api, open } = await openGuarded(9);
  const other: ApiServer = await startApi();
  onTestFinished(() => other.close());
  other.write('items', [{ id: 1 }]);
  api.twists.unshift(({ url }, response) => {
    if (url.pathname !== '/items') return false;
    response.writeHead(307, { location: `${other.url}/items` }).end();
    return true;
  });
  expect(await readAll(open({}))).toBe(1);
  expect(other.asked[0]?.headers.authorization).toBeUndefined();
});
