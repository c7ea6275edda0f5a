import { describe, expect, it } from 'vitest';
import { inferTypes } from '../../../connectors/rest/infer.ts';
import { nextLink } from '../../../connectors/rest/link-header.ts';
import { compareMarks } from '../../../connectors/rest/order.ts';
import { fillBody, fillPath } from '../../../connectors/rest/template.ts';
import { exactJsonText, parseExactJson } from '../../../src/sdk.ts';
import type { Cell } from '../../../src/sdk.ts';
import { send, startApi } from './api-server.ts';
import type { ApiServer } from './api-server.ts';
import { drain, openSource, streamRef } from './rest-kit.ts';

const ITEMS = {
  path: '/items',
  records: 'data',
  key: ['id'],
  fields: { id: 'int64', label: 'text', updated_at: 'timestamptz' },
  changes: { param: 'since', field: 'updated_at' },
};
const OFFSET = { by: 'offset', param: 'offset', size: { param: 'limit', value: 10 } };

describe('pages that change while they are read', () => {
  it('by offset lose nothing when records before them are deleted', async () => {
    await withApi(async (api) => {
      fill(api, 45);
      // After the second page seven records of the first are gone: without a look back records 21 to 27 would never be seen.
      once(
        api,
        ({ url }) => Number(url.searchParams.get('offset')) >= 19,
        () => api.remove('items', [1, 2, 3, 4, 5, 6, 7]),
      );
      expect(await ids(api, OFFSET)).toEqual(Array.from({ length: 45 }, (_, index) => index + 1));
    });
  });

  it('by offset lose nothing when all of the pages before them are deleted', async () => {
    await withApi(async (api) => {
      fill(api, 45);
      once(
        api,
        ({ url }) => Number(url.searchParams.get('offset')) >= 29,
        () =>
          api.remove(
            'items',
            Array.from({ length: 30 }, (_, index) => index + 1),
          ),
      );
      expect(await ids(api, OFFSET)).toEqual(Array.from({ length: 45 }, (_, index) => index + 1));
    });
  });

  it('by offset fail when records move faster than they are read', async () => {
    await withApi(async (api) => {
      fill(api, 500);
      let next = 1000;
      api.twists.push(({ url }) => {
        if (!url.searchParams.has('offset')) return false;
        const [first] = [...(api.collections.get('items') ?? new Map()).keys()] as string[];
        api.remove(
          'items',
          Array.from({ length: 3 }, (_, index) => Number(first) + index),
        );
        api.write(
          'items',
          Array.from({ length: 3 }, () => ({ id: (next += 1) })),
        );
        return false;
      });
      await expect(ids(api, OFFSET)).rejects.toMatchObject({ code: expect.stringMatching(/E_BUSY|E_ANSWER/) as string });
    });
  });

  it('deliver duplicates and records out of order, of which the last one counts', async () => {
    await withApi(async (api) => {
      const page = (data: unknown[], next: string | null) => ({ data, meta: { next } });
      const pages: Record<string, unknown> = {
        '': page([item(2, 'old'), item(1, 'one')], 'a'),
        a: page([item(2, 'old'), item(2, 'newer')], 'b'),
        b: page([item(3, 'three'), item(1, 'one')], null),
      };
      api.twists.push(({ url }, response) => {
        send(response, 200, pages[url.searchParams.get('cursor') ?? '']);
        return true;
      });
      const source = openSource(api.url, { streams: { items: { ...ITEMS, pages: { by: 'cursor', param: 'cursor', next: 'meta.next' } } } });
      const { rows } = await drain(source, streamRef('items'));
      await source.close();
      expect(rows.map(({ id, label }) => [id, label])).toEqual([
        [2n, 'old'],
        [1n, 'one'],
        [2n, 'old'],
        [2n, 'newer'],
        [3n, 'three'],
        [1n, 'one'],
      ]);
    });
  });

  it('are read again where they changed after the read began, by the clock of the server', async () => {
    await withApi(async (api) => {
      fill(api, 25);
      // Record 3 changes when its page was read already, and record 24 later still, on a page that was not.
      once(
        api,
        ({ url }) => url.searchParams.get('page') === '2',
        () => {
          const later = (ms: number): string => new Date(Date.now() + ms).toISOString();
          const items = api.collections.get('items');
          items?.set('3', { id: 3, label: 'changed', updated_at: later(2_000) });
          items?.set('24', { id: 24, label: 'changed', updated_at: later(3_000) });
        },
      );
      const pages = { by: 'page', param: 'page' };
      const source = openSource(api.url, { streams: { items: { ...ITEMS, pages } } });
      const first = await drain(source, streamRef('items'));
      expect(first.rows.filter(({ label }) => label === 'changed').map(({ id }) => id)).toEqual([24n]);
      const second = await drain(source, streamRef('items'), first.cursor);
      await source.close();
      expect(second.rows.filter(({ label }) => label === 'changed').map(({ id }) => id)).toEqual([3n, 24n]);
    });
  });
});

describe('pages without an end', () => {
  it.each([
    [
      'a cursor that comes back',
      { by: 'cursor', param: 'cursor', next: 'meta.next' },
      (round: number) => ({ meta: { next: `c${round % 3}` } }),
      /come back to one that was read already/,
    ],
    ['a parameter that is ignored', { by: 'page', param: 'p' }, () => ({ meta: {} }), /the same records as the page before/],
  ])('by %s are refused', async (_what, pages, meta, message) => {
    await withApi(async (api) => {
      let round = 0;
      const isCursor = pages.by === 'cursor';
      api.twists.push((_asked, response) => {
        round += 1;
        send(response, 200, { data: [item(isCursor ? round : 1)], ...meta(round) });
        return true;
      });
      await expect(ids(api, pages)).rejects.toMatchObject({ code: 'E_ANSWER', message: expect.stringMatching(message) as string });
      expect(round).toBeLessThan(10);
    });
  });

  it('are refused beyond the most there may be', async () => {
    await withApi(async (api) => {
      fill(api, 45);
      await expect(ids(api, { by: 'page', param: 'page', max: 3 })).rejects.toMatchObject({
        code: 'E_ANSWER',
        message: expect.stringContaining('more than 3 pages') as string,
      });
    });
  });

  it('are refused at another host', async () => {
    await withApi(async (api) => {
      api.twists.push((_asked, response) => {
        send(response, 200, { data: [item(1)], meta: { url: 'https://elsewhere.example/items?page=2' } });
        return true;
      });
      await expect(ids(api, { by: 'next', next: 'meta.url' })).rejects.toMatchObject({
        code: 'E_ANSWER',
        message: expect.stringContaining('https://elsewhere.example') as string,
      });
    });
  });
});

it('goes on from the first page where the server has forgotten the place in its pages', async () => {
  await withApi(async (api) => {
    fill(api, 25);
    const source = openSource(api.url, { streams: { items: { ...ITEMS, pages: { by: 'cursor', param: 'cursor', next: 'meta.next' } } } });
    const whole = await drain(source, streamRef('items'));
    const middle = whole.batches[0]?.cursor ?? null;
    once(
      api,
      ({ url }) => url.searchParams.has('cursor'),
      (response) => send(response, 410, {}),
      true,
    );
    const rest = await drain(source, streamRef('items'), middle);
    await source.close();
    expect(new Set(rest.rows.map(({ id }) => id)).size).toBe(25);
  });
});

describe('small parts', () => {
  it('find the next page in a Link header', () => {
    expect(nextLink('<https://a/?p=1>; rel="prev", <https://a/?p=3,4>; title="x, y"; rel="last next"')).toBe('https://a/?p=3,4');
    expect(nextLink('<https://a/?p=3>; rel=next')).toBe('https://a/?p=3');
    expect(nextLink('<https://a/?p=3>; rel="nextish"')).toBeNull();
    expect(nextLink('')).toBeNull();
  });

  it('infer the type that every sample fits', () => {
    const samples = [
      '{"a":1,"b":1,"c":"x","d":null,"e":"2026-01-01T00:00:00Z","f":true,"g":{"h":1}}',
      '{"a":2,"b":1.50,"c":7,"d":null,"e":"soon","i":"2026-01-01T00:00:00.123456+02:00"}',
    ];
    expect(Object.fromEntries(inferTypes(samples.map(parseExactJson)))).toEqual({
      a: 'int64',
      b: 'decimal',
      c: 'json',
      e: 'text',
      f: 'bool',
      g: 'json',
      i: 'timestamptz',
    });
    expect(Object.fromEntries(inferTypes([parseExactJson('{"a":99999999999999999999}')]))).toEqual({ a: 'decimal' });
  });

  it('compare values by their type, never as floats', () => {
    const mark = (text: string, isNumber = false) => ({ text, isNumber });
    expect(compareMarks(mark('9007199254740993', true), mark('9007199254740992', true), 'int64')).toBe(1);
    expect(compareMarks(mark('10', true), mark('9', true), 'int64')).toBe(1);
    expect(compareMarks(mark('2026-01-01T01:00:00+02:00'), mark('2025-12-31T23:00:00.000000Z'), 'timestamptz')).toBe(0);
    expect(compareMarks(mark('1.50', true), mark('1.5', true), 'decimal')).toBe(0);
    expect(compareMarks(mark('soon'), mark('2026-01-01T00:00:00Z'), 'timestamptz')).toBeNull();
  });

  it('fill names into paths and bodies without leaving their place', () => {
    const filled = (name: string): string | null => ({ id: 'a/b?c', up: '..' })[name] ?? null;
    expect(fillPath('/items/{id}/x', filled)).toBe('/items/a%2Fb%3Fc/x');
    expect(() => fillPath('/items/{up}', filled)).toThrow(/dot/);
    expect(() => fillPath('/items/{none}', filled)).toThrow(/no value/);
    expect(exactJsonText(fillBody(parseExactJson('{"query":"{ a { id } }","v":{"id":"{id}"}}'), filled))).toBe(
      '{"query":"{ a { id } }","v":{"id":"a/b?c"}}',
    );
  });
});

function item(id: number, label = `item ${id}`): object {
  return { id, label, updated_at: '2026-01-01T00:00:00.000000Z' };
}

function fill(api: ApiServer, count: number): void {
  api.write(
    'items',
    Array.from({ length: count }, (_, index) => ({ id: index + 1, label: `item ${index + 1}` })),
  );
}

/** Does something before the first request that matches is answered. */
function once(
  api: ApiServer,
  matches: (asked: ApiServer['asked'][number]) => boolean,
  work: (response: Parameters<ApiServer['twists'][number]>[1]) => void,
  answers = false,
): void {
  let done = false;
  api.twists.push((asked, response) => {
    if (done || !matches(asked)) return false;
    done = true;
    work(response);
    return answers;
  });
}

async function ids(api: ApiServer, pages: object): Promise<number[]> {
  const source = openSource(api.url, { streams: { items: { ...ITEMS, pages } } });
  try {
    const { rows } = await drain(source, streamRef('items'));
    return [...new Set(rows.map(({ id }) => id as Cell))].map(Number).sort((a, b) => a - b);
  } finally {
    await source.close();
  }
}

async function withApi(work: (api: ApiServer) => Promise<void>): Promise<void> {
  const api = await startApi();
  try {
    await work(api);
  } finally {
    await api.close();
  }
}
