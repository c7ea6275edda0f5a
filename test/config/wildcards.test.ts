import { describe, expect, it } from 'vitest';
import { expandStreams } from '../../src/config/wildcards.ts';
import type { StreamInfo } from '../../src/model/contracts.ts';
import { diagnosticText } from '../../src/model/diagnostic.ts';
import type { StreamEntry } from '../../src/model/job.ts';

const ENTRY: StreamEntry = {
  from: '',
  query: null,
  except: [],
  to: null,
  changes: null,
  key: null,
  mapping: null,
  lookbackMs: null,
  deletes: null,
  onDelete: 'delete',
  onExit: 'delete',
  where: null,
  guard: null,
  partitions: 4,
  drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
  after: [],
  at: { file: 'trueup.yaml', line: 1, column: 1 },
};

function info(name: string, kind: StreamInfo['kind'] = 'table'): StreamInfo {
  return { name, kind, shape: { fields: [], key: [], open: false }, changes: [] };
}

function expand(
  entries: readonly (Partial<StreamEntry> & { readonly from: string })[],
  names: readonly (string | StreamInfo)[],
): { readonly streams: string[]; readonly texts: string[] } {
  const placed = entries.map((entry, index) => ({ ...ENTRY, ...entry, at: { file: 'trueup.yaml', line: index + 1, column: 1 } }));
  const { streams, diagnostics } = expandStreams(
    placed,
    names.map((name) => (typeof name === 'string' ? info(name) : name)),
  );
  return {
    streams: streams.map(({ entry, info: { name }, target }) => `${entry.at.line}: ${name} → ${target ?? '(same)'}`),
    texts: diagnostics.map(diagnosticText),
  };
}

const SHOP = ['public.orders', 'public.items', 'public.audit_log', 'public.audit_old', 'stock.parts'];

describe('streams of a job', () => {
  it('are found by name, and by wildcards in the order of the source', () => {
    expect(expand([{ from: 'stock.parts' }, { from: 'public.*' }], SHOP)).toEqual({
      streams: [
        '1: stock.parts → (same)',
        '2: public.orders → (same)',
        '2: public.items → (same)',
        '2: public.audit_log → (same)',
        '2: public.audit_old → (same)',
      ],
      texts: [],
    });
  });

  it('are left out by except', () => {
    expect(expand([{ from: 'public.*', except: ['public.audit_*', 'public.items'] }], SHOP).streams).toEqual(['1: public.orders → (same)']);
  });

  it('named by themselves beat a wildcard, wherever it stands', () => {
    const named = { from: 'public.orders', to: 'o' };
    expect(expand([{ from: 'public.*', except: ['*.audit_*'] }, named], SHOP).streams).toEqual([
      '1: public.items → (same)',
      '2: public.orders → o',
    ]);
    expect(expand([named, { from: 'public.*', except: ['*.audit_*'] }], SHOP).streams).toEqual([
      '1: public.orders → o',
      '2: public.items → (same)',
    ]);
  });

  it('fill placeholders of the target name', () => {
    expect(expand([{ from: '*.*', except: ['*.audit_*'], to: 'archive.{schema}_{table}' }], SHOP).streams).toEqual([
      '1: public.orders → archive.public_orders',
      '1: public.items → archive.public_items',
      '1: stock.parts → archive.stock_parts',
    ]);
  });

  it('may have dots, stars and any letter in their names, which are written with a backslash', () => {
    const names = [String.raw`public.my\.table`, 'public.übersicht', String.raw`public.a\*b`, 'public.axb', 'public.😀'];
    expect(expand([{ from: String.raw`public.my\.table`, to: 'x.{table}' }], names).streams).toEqual([
      String.raw`1: public.my\.table → x.my\.table`,
    ]);
    expect(expand([{ from: String.raw`public.a\*b` }], names).streams).toEqual([String.raw`1: public.a\*b → (same)`]);
    expect(expand([{ from: 'public.?' }], names).streams).toEqual(['1: public.😀 → (same)']);
    expect(expand([{ from: 'public.*' }], names).streams).toHaveLength(5);
    expect(expand([{ from: '*' }], ['orders', ...names]).streams).toHaveLength(6);
    expect(expand([{ from: 'public.my.*' }], names).texts).toEqual([expect.stringMatching(/matches no stream/)]);
  });

  it('are views only when named, since a view has no key', () => {
    const infos = [info('public.t'), info('public.v', 'view')];
    expect(expand([{ from: 'public.*' }], infos).streams).toEqual(['1: public.t → (same)']);
    expect(expand([{ from: 'public.v' }], infos).streams).toEqual(['1: public.v → (same)']);
  });

  it('take queries by their own name', () => {
    expect(
      expand([{ from: 'totals', query: 'select 1', to: 'totals' }, { from: '*' }], [info('totals', 'query'), info('a')]).streams,
    ).toEqual(['1: totals → totals', '2: a → (same)']);
  });

  it.each<[what: string, entries: Parameters<typeof expand>[0], text: RegExp]>([
    [
      'an unknown name, with the one that was meant',
      [{ from: 'public.order' }],
      /^trueup.yaml:1:1 \[E_STREAM_UNKNOWN\] the source has no stream 'public.order'. Streams: public.audit_log, .* Did you mean 'public.orders'\?$/,
    ],
    ['a name without its schema', [{ from: 'orders' }], /Did you mean 'public.orders'\?/],
    [
      'a wildcard that matches nothing, with what there is',
      [{ from: 'publik.*' }],
      /'publik.\*' matches no stream of the source. Streams: public.audit_log, public.audit_old, public.items, public.orders, stock.parts/,
    ],
    ['a wildcard that except empties', [{ from: 'stock.*', except: ['stock.parts'] }], /but for what 'except' leaves out \(stock.parts\)/],
    ['an exception that matches nothing', [{ from: 'stock.*', except: ['stock.audit'] }], /except: 'stock.audit' matches no stream/],
    [
      'a stream that two wildcards match',
      [{ from: 'stock.*' }, { from: '*.parts' }],
      /^trueup.yaml:2:1 .*'stock.parts' is matched by 'stock.\*' and by '\*.parts'/,
    ],
    [
      'two streams with one target',
      [{ from: 'public.*', except: ['*.audit_*'], to: 'all' }],
      /'public.orders' and 'public.items' would both be written to 'all'.*{table}/,
    ],
    [
      'two streams whose placeholders agree',
      [
        { from: 'stock.parts', to: 'x' },
        { from: 'public.items', to: 'x' },
      ],
      /would both be written to 'x'/,
    ],
  ])('refuse %s', (_what, entries, text) => {
    const { texts } = expand(entries, SHOP);
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(text);
  });

  it('refuse a schema placeholder for a name without schema', () => {
    expect(expand([{ from: 'orders', to: '{schema}.x' }], ['orders'])).toEqual({
      streams: [],
      texts: [expect.stringMatching(/wants a schema/)],
    });
  });

  it('match in time that does not grow with the stars of a pattern', () => {
    const started = performance.now();
    expect(expand([{ from: `public.${'*a'.repeat(40)}b` }], [`public.${'a'.repeat(5000)}`]).streams).toEqual([]);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
