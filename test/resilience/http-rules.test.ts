import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import { redirected } from '../../src/resilience/http-redirect.ts';
import { isIdempotent, retryDelayMs, statusEnd } from '../../src/resilience/http-retry.ts';
import { quotaOf, retryAfterMs } from '../../src/resilience/retry-after.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const limits = { attempts: 5, maxDelayMs: 60_000 };

describe('resilience: what a server says of when to come again', () => {
  it('reads Retry-After in seconds, and as a date against the clock of the server', () => {
    expect(retryAfterMs({ 'retry-after': '120' }, NOW)).toBe(120_000);
    expect(retryAfterMs({ 'retry-after': 'Sat, 28 Nov 2026 12:00:30 GMT' }, NOW)).toBe(30_000);
    const skewed = { 'retry-after': 'Wed, 01 Jan 2031 00:00:30 GMT', date: 'Wed, 01 Jan 2031 00:00:00 GMT' };
    expect(retryAfterMs(skewed, NOW)).toBe(30_000);
    expect(retryAfterMs({ 'retry-after': 'Sat, 28 Nov 2026 11:00:00 GMT' }, NOW)).toBe(0);
    for (const text of ['', 'soon', '-5']) expect(retryAfterMs({ 'retry-after': text }, NOW) ?? 0).toBe(0);
    expect(retryAfterMs({}, NOW)).toBeNull();
  });

  it('reads what is left of a quota in the forms that servers use', () => {
    expect(quotaOf({ ratelimit: '"hour";r=50;t=30, "day";r=7;t=3600' }, NOW)).toEqual({ remaining: 7, resetMs: 3_600_000 });
    expect(quotaOf({ ratelimit: 'limit=100, remaining=50, reset=5' }, NOW)).toEqual({ remaining: 50, resetMs: 5000, limit: 100 });
    const named = { 'ratelimit-limit': '100, 100;w=60', 'ratelimit-remaining': '0', 'ratelimit-reset': '12' };
    expect(quotaOf(named, NOW)).toEqual({ remaining: 0, resetMs: 12_000, limit: 100 });
    const reset = NOW / 1000 + 90;
    for (const text of ['90', String(reset), String(reset * 1000)])
      expect(quotaOf({ 'x-ratelimit-remaining': '4', 'x-ratelimit-reset': text }, NOW)).toEqual({ remaining: 4, resetMs: 90_000 });
    const skewed = {
      date: new Date(NOW + 3_600_000).toUTCString(),
      'x-ratelimit-remaining': '4',
      'x-ratelimit-reset': String(NOW / 1000 + 3_690),
    };
    expect(quotaOf(skewed, NOW)).toEqual({ remaining: 4, resetMs: 90_000 });
    for (const headers of [
      {},
      { 'x-ratelimit-remaining': '4' },
      { 'x-ratelimit-remaining': 'many', 'x-ratelimit-reset': '5' },
      { ratelimit: 'garbage' },
    ])
      expect(quotaOf(headers, NOW)).toBeNull();
  });
});

describe('resilience: when a request is sent again', () => {
  const end = (status: number, waitMs: number | null = null) =>
    statusEnd(status, 'GET x', waitMs) ?? { fault: new TrueupError('E_BUG', ''), safe: false, ill: false };

  it('waits for a random part of a time that doubles, and no longer than allowed', () => {
    const delays = (random: number) => [1, 2, 3, 4].map((attempt) => retryDelayMs(end(500), attempt, limits, true, random));
    expect(delays(0)).toEqual([0, 0, 0, 0]);
    expect(delays(0.5)).toEqual([250, 500, 1000, 2000]);
    expect(retryDelayMs(end(500), 30, { attempts: 99, maxDelayMs: 7_000 }, true, 0.999)).toBeLessThanOrEqual(7_000);
    expect(retryDelayMs(end(500), 5, limits, true, 0)).toBeNull();
  });

  it('never comes before the time that the server asked for, and not at all when that is too long', () => {
    expect(retryDelayMs(end(503, 9_000), 1, limits, true, 0)).toBe(9_000);
    expect(retryDelayMs(end(503, 9_000), 1, limits, true, 1)).toBe(10_000);
    expect(retryDelayMs(end(429, 61_000), 1, limits, true, 0)).toBeNull();
  });

  it('counts a status as illness only when something failed, and as an answer when it is one', () => {
    expect([500, 502, 503, 504].map((status) => end(status).ill)).toEqual([true, true, true, true]);
    expect([408, 425, 429].map((status) => end(status).ill)).toEqual([false, false, false]);
    for (const status of [200, 304, 400, 401, 403, 404, 422, 501, 505]) expect(statusEnd(status, 'GET x', null)).toBeNull();
  });

  it('knows by RFC 9110 what may be sent twice', () => {
    const request = (method: string, more = {}) => ({ method, url: '/', signal: new AbortController().signal, ...more });
    expect(['get', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH'].map((method) => isIdempotent(request(method)))).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(isIdempotent(request('POST', { headers: { 'idempotency-key': 'k' } }))).toBe(true);
    expect(isIdempotent(request('GET', { idempotent: false }))).toBe(false);
  });
});

describe('resilience: redirects', () => {
  const from = {
    url: new URL('https://crm.example/v1/items?key=hidden'),
    method: 'GET',
    headers: { 'x-api-key': 'k', accept: 'a' },
    body: null,
    strayed: false,
  };

  it('never leave encryption', () => {
    expect(() => redirected(from, 302, 'http://crm.example/v1/items', 0)).toThrow(
      'https://crm.example/v1/items redirects (302) to http://crm.example/v1/items, which is not encrypted',
    );
  });

  it('to another port, scheme or host are redirects to another server', () => {
    const plain = { ...from, url: new URL('http://crm.example/') };
    expect(redirected(plain, 302, 'https://crm.example/', 0)?.headers).toEqual({ accept: 'a' });
    expect(redirected(from, 302, 'https://crm.example:8443/', 0)?.headers).toEqual({ accept: 'a' });
    expect(redirected(from, 302, '//other.example/', 0)).toMatchObject({ headers: { accept: 'a' }, strayed: true });
    expect(redirected(from, 302, '/v2/items', 0)).toMatchObject({ headers: from.headers, strayed: false });
  });

  it('take no credentials out of an address', () => {
    expect(redirected(from, 302, 'https://me:pass@crm.example/a#b', 0)?.url.href).toBe('https://crm.example/a');
  });
});
