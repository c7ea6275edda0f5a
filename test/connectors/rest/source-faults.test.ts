import { describe, expect, it } from 'vitest';
import { sendSlowly, send, startApi } from './api-server.ts';
import type { ApiServer, Twist } from './api-server.ts';
import { drain, openSource, streamRef } from './rest-kit.ts';
import type { Logged } from './rest-kit.ts';

const ITEMS = {
  path: '/items',
  records: 'data',
  key: ['id'],
  fields: { id: 'int64', label: 'text', updated_at: 'timestamptz' },
  pages: { by: 'cursor', param: 'cursor', next: 'meta.next' },
  changes: { param: 'since', field: 'updated_at' },
};
const SECRET = 'hunter2-and-more';

describe('a server in trouble', () => {
  it('is asked again after 500, 429 with seconds, 429 with a date, and a connection that breaks in the middle', async () => {
    await withApi(async (api) => {
      fill(api, 80);
      const troubles: Twist[] = [
        (_asked, response) => answered(send(response, 500, {})),
        (_asked, response) => answered(send(response, 429, {}, { 'retry-after': '1' })),
        (_asked, response) => answered(send(response, 429, {}, { 'retry-after': new Date(Date.now() + 1500).toUTCString() })),
        (_asked, response) => answered(response.socket?.destroy()),
      ];
      let at = -1;
      api.twists.push((asked, response) => {
        at += 1;
        return at % 2 === 1 ? (troubles.shift()?.(asked, response) ?? false) : false;
      });
      const { rows } = await read(api);
      expect(new Set(rows.map(({ id }) => id)).size).toBe(80);
      expect(troubles).toEqual([]);
    });
  }, 30_000);

  it('may answer slowly', async () => {
    await withApi(async (api) => {
      const data = Array.from({ length: 200 }, (_, index) => item(index + 1));
      api.twists.push(async (_asked, response) => {
        await sendSlowly(response, JSON.stringify({ data, meta: { next: null } }), { pieces: 20, pauseMs: 15 });
        return true;
      });
      expect((await read(api, { timeouts: { idle: '1s' } })).rows).toHaveLength(200);
    });
  });

  it.each([
    ['stops in the middle of an answer', 'E_CONNECTION_LOST', { pieces: 4, pauseMs: 2_000 }],
    ['breaks in the middle of an answer', 'E_CONNECTION_LOST', { pieces: 4, pauseMs: 5, cutAfter: 2 }],
  ])(
    'that %s fails the read with %s, after what came whole',
    async (_what, code, how) => {
      await withApi(async (api) => {
        const data = Array.from({ length: 400 }, (_, index) => item(index + 1));
        api.twists.push(async (_asked, response) => {
          await sendSlowly(response, JSON.stringify({ data, meta: { next: null } }), how);
          return true;
        });
        await expect(read(api, { timeouts: { idle: '300ms' } })).rejects.toMatchObject({ code });
      });
    },
    20_000,
  );

  it.each([
    [401, 'E_ACCESS'],
    [403, 'E_ACCESS'],
    [404, 'E_STREAM_UNKNOWN'],
    [400, 'E_CONFIG_INVALID'],
    [422, 'E_CONFIG_INVALID'],
  ])('that answers %i stops with %s, and shows no credentials', async (status, code) => {
    await withApi(async (api) => {
      const logged: Logged[] = [];
      api.twists.push((_asked, response) => answered(send(response, status, { message: SECRET })));
      const failure = await read(api, { auth: { apiKey: { query: 'key', value: SECRET } } }, logged).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code });
      expect(`${String(failure)}${JSON.stringify(logged)}`).not.toContain(SECRET);
      expect(api.asked[0]?.url.searchParams.get('key')).toBe(SECRET);
    });
  });

  it('that answers invalid JSON is named with the place', async () => {
    await withApi(async (api) => {
      api.twists.push((_asked, response) => answered(response.writeHead(200).end('{"data":[{"id":1},{"id":}]}')));
      await expect(read(api)).rejects.toMatchObject({
        code: 'E_ANSWER',
        message: `GET ${api.url}/items: the answer is no JSON at character 25`,
      });
    });
  });
});

describe('credentials', () => {
  it.each([
    ['a header', { apiKey: { header: 'X-Key', value: SECRET } }, 'x-key', SECRET],
    ['a bearer token', { bearer: SECRET }, 'authorization', `Bearer ${SECRET}`],
    [
      'user and password',
      { basic: { user: 'me', password: SECRET } },
      'authorization',
      `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`,
    ],
  ])('in %s go to the API, and not where it redirects to', async (_what, auth, header, value) => {
    await withApi(async (elsewhere) => {
      await withApi(async (api) => {
        fill(elsewhere, 5);
        api.twists.push((_asked, response) => answered(response.writeHead(302, { location: `${elsewhere.url}/items` }).end()));
        const { rows } = await read(api, { auth });
        expect(rows).toHaveLength(5);
        expect(api.asked[0]?.headers[header]).toBe(value);
        expect(elsewhere.asked[0]?.headers[header]).toBeUndefined();
      });
    });
  });

  it('in the query are sent with every page, and stand in no cursor', async () => {
    await withApi(async (api) => {
      fill(api, 35);
      const { rows, batches } = await read(api, { auth: { apiKey: { query: 'key', value: SECRET } } }, [], {
        ...ITEMS,
        pages: { by: 'next', next: 'meta.url' },
      });
      expect(rows).toHaveLength(35);
      expect(api.asked.map(({ url }) => url.searchParams.get('key'))).toEqual([SECRET, SECRET, SECRET, SECRET]);
      expect(JSON.stringify(batches.map(({ cursor, position }) => [cursor, position]))).not.toContain(SECRET);
    });
  });
});

async function read(
  api: ApiServer,
  more: object = {},
  logged: Logged[] = [],
  items: object = ITEMS,
): Promise<Awaited<ReturnType<typeof drain>>> {
  const source = openSource(api.url, { streams: { items }, ...more }, logged);
  try {
    return await drain(source, streamRef('items'));
  } finally {
    await source.close();
  }
}

function answered(_done: unknown): boolean {
  return true;
}

function item(id: number): object {
  return { id, label: `item ${id} ${'x'.repeat(100)}`, updated_at: '2026-01-01T00:00:00.000000Z' };
}

function fill(api: ApiServer, count: number): void {
  api.write(
    'items',
    Array.from({ length: count }, (_, index) => ({ id: index + 1, label: `item ${index + 1}` })),
  );
}

async function withApi(work: (api: ApiServer) => Promise<void>): Promise<void> {
  const api = await startApi();
  try {
    await work(api);
  } finally {
    await api.close();
  }
}
