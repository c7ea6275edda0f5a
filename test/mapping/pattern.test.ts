import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compilePattern } from '../../src/mapping/expression/pattern.ts';

describe('the patterns of `matches`', () => {
  const patterns = [
    'abc',
    '^a',
    'a$',
    '^$',
    '',
    'a|b',
    '(a|bc)*d',
    'a*',
    'a+b?',
    'a{2}',
    'a{2,}',
    '^a{1,3}$',
    '[abc]+',
    '[^abc]',
    '[a-c]d',
    '\\d+',
    '^\\w+$',
    '\\s',
    '\\bab\\b',
    '\\Bb',
    'a.c',
    '(?i)ABC',
    'x(?:ab){2}',
    '[\\d-]',
    '[]a]',
    'a\\.b',
    '\\x41',
    '(?s)a.c',
    '^(a+)+$',
    '(?i:a)b',
    'é|ß',
    '[^\\d]',
    '(a?){3}b',
    '\\\\',
    'a{,2}',
    '[a\\]b]+$',
  ];
  const unit = fc.constantFrom(...'abcdABé1 .-\n\\😀');

  it('find what JavaScript finds', () => {
    for (const pattern of patterns) {
      const javascript = pattern
        .replace('[]a]', '[\\]a]')
        .replace(/^\(\?i\)/, '')
        .replace(/^\(\?s\)/, '')
        .replaceAll('a{,2}', 'a\\{,2\\}');
      const flags = `u${pattern.startsWith('(?i)') ? 'i' : ''}${pattern.startsWith('(?s)') ? 's' : ''}`;
      const expected = new RegExp(javascript, flags);
      const actual = compilePattern(pattern);
      fc.assert(
        fc.property(fc.string({ unit, maxLength: 8 }), (text) => {
          expect([pattern, text, actual(text)]).toEqual([pattern, text, expected.test(text)]);
        }),
        { numRuns: 200 },
      );
    }
  });

  it.each(['^(a+)+$', '(a*)*b', '(a|a)*$x', '(.*)(.*)(.*)(.*)z', '(x+x+)+y'])(
    'takes linear time for %s, at which backtracking gives up',
    (pattern) => {
      const match = compilePattern(pattern);
      const started = performance.now();
      match(`${'a'.repeat(100_000)}!`);
      match(`${'x'.repeat(100_000)}!`);
      expect(performance.now() - started).toBeLessThan(5000);
    },
  );

  it.each([
    ['(', 'closed'],
    ['a)', 'without'],
    ['[a', 'closed'],
    ['*a', 'repeat'],
    ['a**', 'repeat'],
    ['\\1', 'backreferences'],
    ['(?=a)', 'look-around'],
    ['(?<!a)', 'look-around'],
    ['a{2000}', '1000'],
    ['a{3,2}', 'ends before'],
    ['(((a{1000}){1000}){1000})', 'too large'],
    ['\\', 'ends with'],
    ['[z-a]', 'before'],
    ['(?m)a', 'known'],
  ])('refuses %s', (pattern, message) => {
    expect(() => compilePattern(pattern)).toThrow(message);
  });

  it('survives deep nesting', () => {
    expect(() => compilePattern('('.repeat(100_000))).toThrow('deep');
  });
});
