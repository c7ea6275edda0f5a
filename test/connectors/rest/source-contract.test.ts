import { describe, vi } from 'vitest';
import { sourceContract } from '../../../src/testing/index.ts';
import type { SourceFixture } from '../../../src/testing/index.ts';
import { startApi } from './api-server.ts';
import { openSource, streamRef } from './rest-kit.ts';

const ITEMS = {
  path: '/items',
  records: 'data',
  key: ['id'],
  fields: { id: 'int64', label: 'text', updated_at: 'timestamptz' },
  changes: { param: 'since', field: 'updated_at' },
  get: { path: '/items/{id}' },
};

// Three thousand records are looked up one by one, by a server in this very process.
vi.setConfig({ testTimeout: 120_000 });

const { get: _looked, ...LISTED } = ITEMS;

describe('the rest source in pages by a cursor, looking up one by one', () =>
  sourceContract(() => fixture({ ...ITEMS, pages: { by: 'cursor', param: 'cursor', next: 'meta.next', more: 'meta.more' } })));

describe('the rest source in pages by offsets, looking up by reading all', () =>
  sourceContract(() =>
    fixture({ ...LISTED, pages: { by: 'offset', param: 'offset', size: { param: 'limit', value: 20 }, more: 'meta.more' } }),
  ));

describe('the rest source in pages by a keyset', () =>
  sourceContract(() =>
    fixture({ ...LISTED, query: { limit: 20 }, pages: { by: 'keyset', param: 'after', field: 'id', more: 'meta.more' } }),
  ));

async function fixture(items: object): Promise<SourceFixture> {
  const api = await startApi();
  const write = async (records: Parameters<SourceFixture['insert']>[0]): Promise<void> =>
    api.write(
      'items',
      records.map((record) => ({ ...record })),
    );
  return {
    stream: streamRef('items'),
    fields: { id: 'id', label: 'label' },
    repeats: 'always',
    open: () => openSource(api.url, { streams: { items } }),
    insert: write,
    update: write,
    close: () => api.close(),
  };
}
