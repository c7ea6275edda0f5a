import { describe, expect, it } from 'vitest';

import { didYouMean, knownNames } from '../../src/model/suggest.ts';
import { parseYaml } from '../../src/model/yaml.ts';

describe('parseYaml', () => {
  it('gives plain data and the place of every key and value', () => {
    const yaml = parseYaml('a: 1\nlist:\n  - x: hello\n    y:\n', 'f.yaml');
    expect(yaml.diagnostics).toEqual([]);
    expect(yaml.data).toEqual({ a: 1, list: [{ x: 'hello', y: null }] });
    expect(yaml.at(['a'], 'key')).toEqual({ line: 1, column: 1 });
    expect(yaml.at(['a'])).toEqual({ line: 1, column: 4 });
    expect(yaml.at(['list', 0, 'x'])).toEqual({ line: 3, column: 8 });
    expect(yaml.at(['list', 0, 'y'])).toEqual({ line: 4, column: 5 });
  });

  it('gives the nearest parent of a place that is not there', () => {
    const yaml = parseYaml('a:\n  b: 1\n', 'f.yaml');
    expect(yaml.at(['a', 'c'])).toEqual({ line: 2, column: 3 });
    expect(yaml.at(['z'])).toEqual({ line: 1, column: 1 });
  });

  it('reports every syntax error with its position', () => {
    const { diagnostics, data } = parseYaml('a: [1, 2\nb: "x\n', 'f.yaml');
    expect(data).toBeUndefined();
    expect(diagnostics.length).toBeGreaterThan(0);
    for (const diagnostic of diagnostics) expect(diagnostic).toMatchObject({ file: 'f.yaml', code: 'E_CONFIG_INVALID', severity: 'error' });
  });

  it('refuses a key that stands twice, at the second one', () => {
    expect(parseYaml('a: 1\nb: 2\na: 3\n', 'f.yaml').diagnostics).toMatchObject([
      { line: 3, column: 1, message: expect.stringContaining('unique') },
    ]);
  });

  it('keeps every digit of a large integer', () => {
    expect(parseYaml('n: 9007199254740993\nm: 9007199254740991', 'f').data).toEqual({ n: 9007199254740993n, m: 9007199254740991 });
  });

  it('refuses an alias bomb', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf'].map((pair) => [...pair]))
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`);
    expect(parseYaml(bomb.join('\n'), 'f').diagnostics).toMatchObject([{ message: expect.stringContaining('alias') }]);
  });

  it('survives a wall of brackets and one of indentation', () => {
    expect(parseYaml('['.repeat(100_000), 'f').diagnostics).not.toEqual([]);
    expect(parseYaml('{a: '.repeat(5000), 'f').diagnostics).not.toEqual([]);
    expect(parseYaml('- '.repeat(5000) + 'x', 'f').diagnostics).not.toEqual([]);
  });

  it('takes __proto__ as a key like any other', () => {
    const data = parseYaml('__proto__: { polluted: yes }\nconstructor: 1', 'f').data as object;
    expect(Object.keys(data)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('takes an empty text as null, and several documents as a mistake', () => {
    expect(parseYaml('', 'f')).toMatchObject({ data: null, diagnostics: [] });
    expect(parseYaml('a: 1\n---\nb: 2\n', 'f').diagnostics).toHaveLength(1);
  });

  it('refuses keys that are not plain text', () => {
    expect(parseYaml('? [a, b]\n: 1', 'f').diagnostics).not.toEqual([]);
  });
});

describe('didYouMean', () => {
  it('finds the name that was meant', () => {
    expect(didYouMean('totl', ['id', 'placed_at', 'total'])).toBe('total');
    expect(didYouMean('Total', ['total'])).toBe('total');
    expect(didYouMean('postgress', ['mongodb', 'postgres'])).toBe('postgres');
    expect(didYouMean('sorce', ['source', 'target'])).toBe('source');
    expect(didYouMean('htlm', ['html'])).toBe('html');
  });

  it('says nothing when no name is near', () => {
    expect(didYouMean('xyz', ['id', 'placed_at'])).toBeNull();
    expect(didYouMean('a', [])).toBeNull();
  });

  it('lists what is known', () => {
    expect(knownNames('totl', ['id', 'total'], 'Fields')).toBe(" Fields: id, total. Did you mean 'total'?");
  });
});
