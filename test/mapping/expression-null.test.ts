import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { check, names, run, shown } from './expression-fixture.ts';

describe('expressions on NULL', () => {
  it.each([
    ['name == null', true],
    ['name != null', false],
    ["name != 'draft'", true],
    ["name == 'draft'", false],
    ['null == null', true],
    ['id == n', true],
    ['id > 1', null],
    ['id + 1', null],
    ['-id', null],
    ['!ok', null],
    ["name + 'x'", null],
    ['total * total', null],
    ['size(name)', null],
    ["name.startsWith('a')", null],
    ['string(id)', null],
    ['id in [1, 2]', null],
    ['name in payload', null],
    ['payload.a.b', null],
    ['payload["a"]', null],
    ['has(payload.a)', false],
    ["name.matches('a')", null],
    ["ok ? 'a' : 'b'", null],
    ['ok && true', null],
    ['ok && false', false],
    ['false && ok', false],
    ['ok || true', true],
    ['true || ok', true],
    ['ok || false', null],
    ['!(ok && true)', null],
    ['coalesce(name, "x")', 'x'],
    ['coalesce(name, null)', null],
    ['tags.exists(t, t == "a")', null],
    ['size(tags)', null],
    ['[id, 1]', '[null,1]'],
    ['at > timestamp("2020-01-01T00:00:00Z")', null],
    ['divide(total, id, 2)', null],
    ['at - at', null],
    ['id == 1 || name == null', true],
    ['payload == null', true],
    ['null > 1', null],
    ['null + 1', null],
    ['day.getMonth()', null],
  ])('%s is %j when every field is NULL', (text, expected) => {
    expect(shown(run(text))).toBe(expected);
  });

  it('hold for values that are known at run time only', () => {
    const payload = '{"a":null,"b":1}';
    expect(run('payload.a == null', { payload })).toBe(true);
    expect(run('payload.a > 1', { payload })).toBeNull();
    expect(run('payload.a.c', { payload })).toBeNull();
    expect(run('payload.b + payload.a', { payload })).toBeNull();
    expect(run('has(payload.a)', { payload })).toBe(true);
    expect(run('payload == null', { payload: 'null' })).toBe(true);
  });

  it('never become a fault, whatever the expression is', () => {
    const atoms = fc.constantFrom('id', 'n', 'total', 'name', 'ok', 'payload', 'at', 'null', '1', "'x'", '1.5', 'true', 'f', 'payload.x');
    const expression = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        atoms,
        fc
          .tuple(tie('node'), fc.constantFrom('+', '-', '*', '==', '!=', '<', '>=', '&&', '||', 'in'), tie('node'))
          .map(([a, op, b]) => `(${a} ${op} ${b})`),
        tie('node').map((a) => `!(${a})`),
        fc.tuple(tie('node'), tie('node'), tie('node')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      ),
    })).node;
    let ran = 0;
    fc.assert(
      fc.property(expression, (text) => {
        let compiled;
        try {
          compiled = check(text);
        } catch {
          return;
        }
        ran++;
        try {
          compiled.run({ row: names.map(() => null), decoders: [] });
        } catch (error) {
          // Only constants may still be at fault: `null + 1` is NULL, but `dyn(1) && true` is not a bool.
          if (/\b(?:id|n|total|name|ok|payload|at|f)\b/.test(text) && !/[1x']/.test(text)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
    expect(ran).toBeGreaterThan(300);
  });
});
