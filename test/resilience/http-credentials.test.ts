import { describe, expect, it } from 'vitest';
import type { AuthorizeHow } from '../../src/resilience/http-contract.ts';
import { matching, openClient, startApi, unaborted } from './http-kit.ts';

const get = (url = '/items') => ({ method: 'GET', url, signal: unaborted() });

describe('resilience: HTTP client, credentials and redirects', () => {
  it('renews credentials once after a 401, and gives a second 401 as the answer', async () => {
    await using api = await startApi((response, { url, headers }) => {
      const right = headers.authorization === 'Bearer 2' && url !== '/never';
      response.writeHead(right ? 200 : 401).end('x');
    });
    let token = 1;
    const asked: boolean[] = [];
    const refusals: AuthorizeHow['refused'][] = [];
    await using client = openClient(api.url, {
      authorize: (_, { renew, refused }) => {
        asked.push(renew);
        refusals.push(refused);
        if (renew) token += 1;
        return Promise.resolve({ authorization: `Bearer ${token}` });
      },
    });
    expect((await client.request(get())).status).toBe(200);
    expect(asked).toEqual([false, true]);
    expect((await client.request(get('/never'))).status).toBe(401);
    expect(asked).toEqual([false, true, false, true]);
    expect(refusals).toEqual([null, { authorization: 'Bearer 1' }, null, { authorization: 'Bearer 2' }]);
  });

  it('renews once for a request, however often that is tried', async () => {
    await using api = await startApi((response, _, count) => response.writeHead([401, 503, 503][count - 1] ?? 200).end());
    const asked: boolean[] = [];
    await using client = openClient(api.url, {
      authorize: (_, { renew }) => {
        asked.push(renew);
        return Promise.resolve({});
      },
    });
    expect((await client.request(get())).status).toBe(200);
    expect(asked).toEqual([false, true, false, false]);
  });

  it('asks for credentials without holding a turn', async () => {
    await using api = await startApi((response) => response.end('ok'));
    let held = 0;
    const seen: number[] = [];
    const limiter = {
      take: () => {
        held += 1;
        return Promise.resolve({ end: () => void (held -= 1) });
      },
      pause() {},
      slowDown() {},
    };
    await using client = openClient(api.url, {
      limiter,
      authorize: () => {
        seen.push(held);
        return Promise.resolve({});
      },
    });
    await (await client.request(get())).text();
    expect([seen, held]).toEqual([[0], 0]);
  });

  it('follows a redirect to another server without credentials, cookies or keys, and does not take them up again on the way back', async () => {
    await using other = await startApi((response) => response.writeHead(302, { location: `${api.url}/back` }).end());
    await using api: Awaited<ReturnType<typeof startApi>> = await startApi((response, { url }) =>
      url === '/back' ? response.end('back') : response.writeHead(307, { location: `${other.url}/there` }).end(),
    );
    await using client = openClient(api.url, {
      authorize: () => Promise.resolve({ authorization: 'Bearer secret', 'x-api-key': 'secret' }),
    });
    const headers = { cookie: 'a=secret', 'X-Other-Key': 'secret', accept: 'application/json' };
    const answer = await client.request({ ...get(), headers });
    expect([await answer.text(), answer.url]).toEqual(['back', `${api.url}/back`]);
    expect(api.seen[0]?.headers).toMatchObject({ authorization: 'Bearer secret', 'x-api-key': 'secret', cookie: 'a=secret' });
    for (const one of [other.seen[0], api.seen[1]]) {
      expect(one?.headers['accept']).toBe('application/json');
      expect(JSON.stringify(one)).not.toContain('secret');
    }
  });

  it('gives no credentials to an address of another server that it is asked for', async () => {
    await using other = await startApi((response) => response.end('ok'));
    await using client = openClient('http://127.0.0.1:1', { authorize: () => Promise.resolve({ authorization: 'Bearer secret' }) });
    await (await client.request(get(`${other.url}/items`))).text();
    expect(other.seen[0]?.headers.authorization).toBeUndefined();
  });

  it('keeps to the rules of methods: 303 asks, 301 and 302 turn POST into GET, 307 and 308 repeat', async () => {
    await using api = await startApi((response, { url }) =>
      url === '/end' ? response.end('ok') : response.writeHead(Number(url.slice(1)), { location: '/end' }).end('moved'),
    );
    await using client = openClient(api.url, { authorize: () => Promise.resolve({ authorization: 'Bearer 1' }) });
    const arrives = async (method: string, status: number): Promise<unknown> => {
      const body = method === 'GET' ? {} : { body: 'content', headers: { 'content-type': 'text/plain' } };
      await (await client.request({ ...get(`/${status}`), method, ...body })).text();
      const last = api.seen.at(-1);
      expect(last?.headers.authorization).toBe('Bearer 1');
      return [last?.method, last?.body, last?.headers['content-type']];
    };
    expect(await arrives('POST', 301)).toEqual(['GET', '', undefined]);
    expect(await arrives('POST', 302)).toEqual(['GET', '', undefined]);
    expect(await arrives('PUT', 302)).toEqual(['PUT', 'content', 'text/plain']);
    expect(await arrives('PUT', 303)).toEqual(['GET', '', undefined]);
    expect(await arrives('POST', 307)).toEqual(['POST', 'content', 'text/plain']);
    expect(await arrives('PUT', 308)).toEqual(['PUT', 'content', 'text/plain']);
    expect(await arrives('GET', 303)).toEqual(['GET', '', undefined]);
  });

  it('follows neither a body to another server, nor a circle, nor what is no web address', async () => {
    await using other = await startApi((response) => response.end('ok'));
    await using api = await startApi((response, { url }) => {
      const location =
        { '/out': `${other.url}/x?token=hidden`, '/ftp': 'ftp://example.org/', '/bad': 'http://[', '/round': '/round' }[url] ?? '/';
      response.writeHead(307, { location }).end();
    });
    await using client = openClient(api.url);
    await expect(client.request({ ...get('/out'), method: 'PUT', body: 'x' })).rejects.toMatchObject({
      code: 'E_HTTP_REDIRECT',
      message: `${api.url}/out redirects (307) to ${other.url}/x, another server, which would get the body of the PUT request`,
    });
    await expect(client.request(get('/ftp'))).rejects.toMatchObject({ code: 'E_HTTP_REDIRECT', message: matching(/ftp:/) });
    await expect(client.request(get('/bad'))).rejects.toMatchObject({ code: 'E_HTTP_REDIRECT' });
    await expect(client.request(get('/round'))).rejects.toMatchObject({ code: 'E_HTTP_REDIRECT', message: matching(/at most 5/) });
    expect(other.seen).toEqual([]);
  });

  it('shows no secret and no query, whatever goes wrong', async () => {
    await using api = await startApi((response) => response.writeHead(500).end());
    await using client = openClient(api.url, {
      secrets: ['s3cret', ''],
      authorize: () => Promise.resolve({ authorization: 'Bearer s3cret' }),
    });
    const fault = await client.request(get('/tenants/s3cret/items?key=s3cret&other=hidden')).catch((error: unknown) => error as Error);
    const shown = JSON.stringify([fault instanceof Error ? [fault.message, String(fault.cause)] : fault, client.lines]);
    expect(shown).toContain('/tenants/***/items: the server answers 500');
    expect(shown).not.toMatch(/s3cret|hidden/);
  });

  it('refuses an address that is none, or that holds credentials', () => {
    for (const url of ['crm.example', 'ftp://crm.example', 'https://me:pass@crm.example', 'https://crm.example/?key=pass'])
      expect(() => openClient(url)).toThrow(
        expect.objectContaining({ code: 'E_CONFIG_INVALID', message: expect.not.stringContaining('pass') as string }),
      );
  });
});
