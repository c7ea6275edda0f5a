import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { matching, openClient, startApi, unaborted } from './http-kit.ts';
import { startTcpProxy } from '../servers/tcp-proxy.ts';

const get = (url = '/items') => ({ method: 'GET', url, signal: unaborted() });

describe('resilience: HTTP client, what it sends and gives', () => {
  it('puts a path below the base, and gives status, headers, address and text', async () => {
    await using api = await startApi((response) => response.writeHead(404, { 'x-kind': 'none' }).end('nöthing'));
    await using client = openClient(`${api.url}/v1`);
    const answer = await client.request(get('/items?after=1'));
    expect([answer.status, answer.headers['x-kind'], answer.url, await answer.text()]).toEqual([
      404,
      'none',
      `${api.url}/v1/items?after=1`,
      'nöthing',
    ]);
    await (await client.request(get(''))).text();
    await (await client.request(get('?q=1'))).text();
    expect(api.seen.map(({ url }) => url)).toEqual(['/v1/items?after=1', '/v1', '/v1?q=1']);
  });

  it('takes compressed bodies, and counts their bytes after decompression', async () => {
    await using api = await startApi((response, { url }) => {
      if (url === '/zstd') response.writeHead(200, { 'content-encoding': 'zstd' }).end(zstdCompressSync('{"a":1}'));
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(url === '/bomb' ? 50_000_000 : 10)));
    });
    await using client = openClient(api.url);
    expect(await (await client.request(get('/zstd'))).text()).toBe('{"a":1}');
    expect((await (await client.request(get('/small'))).bytes()).length).toBe(10);
    await expect((await client.request(get('/bomb'))).bytes()).rejects.toMatchObject({ code: 'E_HTTP_BODY' });
  });

  it('refuses text that is not in its charset, and data that is not compressed as it says', async () => {
    await using api = await startApi((response, { url }) => {
      if (url === '/text') response.end(Buffer.from([0x7b, 0xff, 0x7d]));
      else if (url === '/latin') response.writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' }).end(Buffer.from([0xe9]));
      else if (url === '/odd') response.writeHead(200, { 'content-encoding': 'lz4' }).end('x');
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end('plain');
    });
    await using client = openClient(api.url);
    await expect((await client.request(get('/text'))).text()).rejects.toMatchObject({ code: 'E_HTTP_BODY', message: matching(/utf-8/) });
    expect(await (await client.request(get('/latin'))).text()).toBe('é');
    await expect(client.request(get('/odd'))).rejects.toMatchObject({ code: 'E_HTTP_BODY', message: matching(/lz4/) });
    await expect((await client.request(get('/broken'))).text()).rejects.toMatchObject({ code: 'E_HTTP_BODY' });
  });

  it('refuses a body that is too large, by its length at once and by its bytes as they come', async () => {
    await using api = await startApi((response, { url }) => {
      if (url === '/told') response.writeHead(200, { 'content-length': '2000000' }).write('x');
      else {
        const more = (): void => void (response.destroyed || response.write('x'.repeat(65_536), () => setImmediate(more)));
        more();
      }
    });
    await using client = openClient(api.url);
    await expect(client.request(get('/told'))).rejects.toMatchObject({
      code: 'E_HTTP_BODY',
      message: matching(/2000000 bytes.*1000000.*maxBodyBytes/),
    });
    await expect((await client.request(get('/endless'))).bytes()).rejects.toMatchObject({
      code: 'E_HTTP_BODY',
      message: matching(/more than 1000000/),
    });
    expect(api.seen).toHaveLength(2);
  });

  it('has no body for HEAD and 204, and the turn is over', async () => {
    await using api = await startApi((response, { method }) =>
      response.writeHead(method === 'HEAD' ? 200 : 204, method === 'HEAD' ? { 'content-length': '2000000' } : {}).end(),
    );
    let open = 0;
    const limiter = {
      take: () => Promise.resolve({ end: () => void (open -= 1) }).finally(() => void (open += 1)),
      pause() {},
      slowDown() {},
    };
    await using client = openClient(api.url, { limiter });
    for (const method of ['HEAD', 'DELETE']) expect(await (await client.request({ ...get(), method })).text()).toBe('');
    await expect.poll(() => open).toBe(0);
  });

  it('cancels a body that is left early, and one that nobody reads', async () => {
    let closed = 0;
    await using api = await startApi((response) => {
      response.on('close', () => (closed += 1));
      response.write('x'.repeat(1000));
    });
    await using client = openClient(api.url, { timeouts: { connectMs: 1_000, headersMs: 1_000, idleMs: 300 } });
    for await (const chunk of (await client.request(get())).body) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await expect.poll(() => closed).toBe(1);
    const unread = await client.request(get());
    await expect.poll(() => closed, { timeout: 5_000 }).toBe(2);
    await expect(unread.text()).rejects.toMatchObject({ message: matching(/unread/) });
  });
});

describe('resilience: HTTP client, what it tries again', () => {
  it('tries 408, 425, 429, 500, 502, 503 and 504 again, and gives other answers as they are', async () => {
    const statuses = [500, 502, 503, 408, 425, 429, 504];
    await using api = await startApi((response, { url }, count) =>
      response.writeHead(url === '/items' ? (statuses[count - 1] ?? 200) : Number(url.slice(1))).end(),
    );
    await using client = openClient(api.url, { retry: { attempts: 9, maxDelayMs: 20 } });
    expect((await client.request(get())).status).toBe(200);
    expect(api.seen).toHaveLength(8);
    for (const status of [400, 401, 403, 404, 409, 501]) expect((await client.request(get(`/${status}`))).status).toBe(status);
    expect(api.seen).toHaveLength(14);
  });

  it('gives up after its tries, and says what the server said', async () => {
    await using api = await startApi((response) => response.writeHead(503).end('down for tonight'));
    await using client = openClient(api.url);
    await expect(client.request(get('/items?token=hidden'))).rejects.toMatchObject({
      code: 'E_BUSY',
      message: `GET ${api.url}/items: the server answers 503`,
    });
    expect(api.seen).toHaveLength(4);
    expect(client.lines).toHaveLength(3);
  });

  it('sends what is not idempotent again only when the server has not taken it', async () => {
    await using api = await startApi((response, { url }) => {
      if (url === '/reset') response.socket?.resetAndDestroy();
      else response.writeHead(Number(url.slice(1)), url === '/503' ? { 'retry-after': '0' } : {}).end();
    });
    await using client = openClient(api.url);
    const post = (url: string, more = {}) => client.request({ method: 'POST', url, body: 'x', signal: unaborted(), ...more });
    const tries = async (work: Promise<unknown>): Promise<number> => {
      const before = api.seen.length;
      await expect(work).rejects.toMatchObject({ code: matching(/^E_(BUSY|CONNECTION_LOST)$/) });
      return api.seen.length - before;
    };
    expect(await tries(post('/500'))).toBe(1);
    expect(await tries(post('/reset'))).toBe(1);
    expect(await tries(post('/429'))).toBe(4);
    expect(await tries(post('/503'))).toBe(4);
    expect(await tries(post('/500', { idempotent: true }))).toBe(4);
    expect(await tries(post('/reset', { headers: { 'idempotency-key': 'k1' } }))).toBe(4);
    expect(await tries(client.request({ ...get('/500'), idempotent: false }))).toBe(1);
  });

  it('waits as long as Retry-After says, in seconds and as a date by the clock of the server', async () => {
    const skewed = Date.parse('2031-01-01T00:00:00Z');
    const late = (ms: number): string => new Date(skewed + ms).toUTCString();
    await using api = await startApi((response, { url }, count) => {
      if (count % 2 === 0) response.end('ok');
      else if (url === '/seconds') response.writeHead(429, { 'retry-after': '1' }).end();
      else response.writeHead(503, { date: late(0), 'retry-after': late(1000) }).end();
    });
    await using client = openClient(api.url, { retry: { attempts: 3, maxDelayMs: 3_000 } });
    for (const url of ['/seconds', '/date']) {
      const began = performance.now();
      expect(await (await client.request(get(url))).text()).toBe('ok');
      expect(performance.now() - began).toBeGreaterThan(990);
    }
  });

  it('gives up at once when the server asks for a longer wait than is allowed, and says how long', async () => {
    await using api = await startApi((response) => response.writeHead(429, { 'retry-after': '3600' }).end());
    await using client = openClient(api.url);
    await expect(client.request(get())).rejects.toMatchObject({
      code: 'E_BUSY',
      message: matching(/429, and asks to wait 3600 s/),
      details: { retryAfterMs: 3_600_000 },
    });
    expect(api.seen).toHaveLength(1);
  });

  it('tells the limiter to pause, and what is left of a quota', async () => {
    await using api = await startApi((response, _, count) =>
      count === 1
        ? response.writeHead(429, { 'retry-after': '0.01' }).end()
        : response.writeHead(200, { 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '9' }).end('ok'),
    );
    const told: unknown[] = [];
    const limiter = {
      take: () => Promise.resolve({ end: (error?: unknown) => void told.push(['end', error]) }),
      pause: (ms: number) => void told.push(['pause', ms]),
      slowDown: (quota: unknown) => void told.push(['quota', quota]),
    };
    await using client = openClient(api.url, { limiter });
    await (await client.request(get())).text();
    // Being busy is no illness.
    expect(told).toEqual([
      ['pause', 10],
      ['end', null],
      ['quota', { remaining: 3, resetMs: 9000 }],
      ['end', undefined],
    ]);
  });

  it('uses no connection that the server has closed meanwhile', async () => {
    await using api = await startApi((response, _, count) => {
      response.end(String(count));
      setTimeout(() => response.socket?.destroy(), 30);
    });
    await using client = openClient(api.url);
    for (let count = 1; count <= 5; count += 1) {
      expect(await (await client.request({ method: 'POST', url: '/', body: 'x', signal: unaborted() })).text()).toBe(String(count));
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  });
});

describe('resilience: HTTP client, when nothing comes', () => {
  it('says that nobody answers at an address', async () => {
    await using client = openClient('http://127.0.0.1:1');
    await expect(client.request(get())).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: matching(/127\.0\.0\.1:1\/items: no connection \(ECONNREFUSED\)/),
    });
    expect(client.lines).toHaveLength(3);
  });

  it('has a timeout for the headers', async () => {
    await using api = await startApi(() => {});
    await using client = openClient(api.url, {
      timeouts: { connectMs: 900, headersMs: 300, idleMs: 900 },
      retry: { attempts: 2, maxDelayMs: 10 },
    });
    await expect(client.request(get())).rejects.toMatchObject({ code: 'E_TIMEOUT', message: matching(/no answer within 300 ms/) });
    expect(api.seen).toHaveLength(2);
  });

  it('has a timeout for a body that goes silent, and none for a reader that is slow', async () => {
    await using api = await startApi((response, { url }) => {
      response.writeHead(200, { 'content-length': '900000' }).write('x'.repeat(100_000));
      if (url === '/slow-reader') response.end('x'.repeat(800_000));
    });
    await using client = openClient(api.url, { timeouts: { connectMs: 900, headersMs: 900, idleMs: 300 } });
    await expect((await client.request(get())).text()).rejects.toMatchObject({
      code: 'E_CONNECTION_LOST',
      message: matching(/went silent for 300 ms/),
    });
    let bytes = 0;
    for await (const chunk of (await client.request(get('/slow-reader'))).body) {
      if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 2_000));
      bytes += chunk.length;
    }
    expect(bytes).toBe(900_000);
  });

  it('has a timeout for the connection: a handshake that nobody answers', async () => {
    await using api = await startApi((response) => response.end('ok'));
    await using proxy = await startTcpProxy(api.url);
    proxy.blackHole();
    await using client = openClient(proxy.url(api.url).replace('http:', 'https:'), {
      timeouts: { connectMs: 300, headersMs: 9_000, idleMs: 9_000 },
      retry: { attempts: 1, maxDelayMs: 10 },
    });
    const began = performance.now();
    await expect(client.request(get())).rejects.toMatchObject({ code: 'E_UNREACHABLE', message: matching(/no connection within 300 ms/) });
    expect(performance.now() - began).toBeLessThan(6_000);
  });

  it('ends with the body when its connection breaks in the middle', async () => {
    await using api = await startApi((response) => {
      response.writeHead(200, { 'content-length': '2000' }).write('x'.repeat(1000));
      setTimeout(() => response.socket?.resetAndDestroy(), 30);
    });
    await using client = openClient(api.url);
    await expect((await client.request(get())).text()).rejects.toMatchObject({
      code: 'E_CONNECTION_LOST',
      message: matching(/in the middle of the answer/),
    });
  });

  it('is stopped at once by its signal: waiting to try again, for headers, and in a body', async () => {
    await using api = await startApi((response, { url }) => {
      if (url === '/busy') response.writeHead(503, { 'retry-after': '60' }).end();
      if (url === '/body') response.write('x');
    });
    await using client = openClient(api.url, {
      timeouts: { connectMs: 60_000, headersMs: 60_000, idleMs: 60_000 },
      retry: { attempts: 3, maxDelayMs: 99_000 },
    });
    for (const url of ['/busy', '/silent', '/body']) {
      const stop = new AbortController();
      const reason = new Error(`stopped ${url}`);
      setTimeout(() => stop.abort(reason), 100);
      const began = performance.now();
      await expect(client.request({ ...get(url), signal: stop.signal }).then((answer) => answer.text())).rejects.toBe(reason);
      expect(performance.now() - began).toBeLessThan(3_000);
    }
  });

  it('sends nothing after it was closed', async () => {
    await using api = await startApi(() => {});
    const client = openClient(api.url);
    const waiting = client.request(get());
    await expect.poll(() => api.seen.length).toBe(1);
    await client.close();
    await client.close();
    await expect(waiting).rejects.toMatchObject({ code: 'E_STOPPED' });
    await expect(client.request(get())).rejects.toMatchObject({ code: 'E_STOPPED' });
    expect(api.seen).toHaveLength(1);
  });
});
