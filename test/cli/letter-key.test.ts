import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKey } from '../../src/cli/letter-key.ts';
import { typedKey } from '../../src/model/key-text.ts';

describe('cli: keys of dead letters', () => {
  it.each([
    ['42', '["42"]'],
    ['a b', '["a b"]'],
    ['["eu","42"]', '["eu","42"]'],
    ['[ "eu", 9007199254740993 ]', '["eu","9007199254740993"]'],
    ['[oops', '["[oops"]'],
    ['position:0/16B3748', 'position:0/16B3748'],
  ])('%s stands for %s', (typed, key) => {
    expect(parseKey(typed)).toBe(key);
  });

  it('are shown in a form that finds them again', () => {
    const cell = fc.oneof(fc.string(), fc.constantFrom('[1', '["x"]', '', 'position:1', '42'), fc.constant(null));
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 3 }), (cells) => {
        const key = JSON.stringify(cells);
        expect(parseKey(typedKey(key))).toBe(key);
      }),
    );
  });
});
