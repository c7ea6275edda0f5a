import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { celTypeText } from '../../src/mapping/expression/value.ts';
import { cellFromText } from '../../src/model/cell-text.ts';
import type { Cell } from '../../src/model/cell.ts';
import { check, fault, problem, run, shown } from './expression-fixture.ts';

describe('numbers in expressions', () => {
  const big = 9223372036854775807n;
  it('are exact', () => {
    expect(run('id + 1', { id: 9007199254740993n })).toBe(9007199254740994n);
    expect(run('id * 3 - n', { id: 5n, n: 2 })).toBe(13n);
    expect(shown(run('total + total', { total: '0.10' }))).toBe('0.20');
    expect(shown(run('total * 1.10', { total: '12345678901234567890.123' }))).toBe('13580246791358024679.13530');
    expect(shown(run('total - id', { total: '0.5', id: 1n }))).toBe('-0.5');
    expect(shown(run('-total', { total: '0.5' }))).toBe('-0.5');
    expect(run('f + 0.1', { f: 0.2 })).toBe(0.30000000000000004);
    expect(run('7 / 2')).toBe(3n);
    expect(run('-7 / 2')).toBe(-3n);
    expect(run('-7 % 3')).toBe(-1n);
    expect(run('-9223372036854775808')).toBe(-(2n ** 63n));
  });

  it('compare by value, whatever their types', () => {
    expect(run('total == 0.1', { total: '0.10' })).toBe(true);
    expect(run('total > 0.1', { total: '0.10000000000000000001' })).toBe(true);
    expect(run('id < 1.5', { id: 1n })).toBe(true);
    expect(run('f == 0.1', { f: 0.1 })).toBe(true);
    expect(run('total == f', { total: '0.1', f: 0.1 })).toBe(false);
    expect(run('total == f', { total: '0.5', f: 0.5 })).toBe(true);
    expect(run('id == f', { id: 2n ** 53n + 1n, f: 2 ** 53 })).toBe(false);
    expect(run('total in [1.50, 2.50]', { total: '2.5' })).toBe(true);
    expect(run('payload.x == 0.1', { payload: '{"x":0.10}' })).toBe(true);
    expect(run('payload.x == 1', { payload: '{"x":1.0}' })).toBe(true);
    expect(run('payload.x > 9007199254740992', { payload: '{"x":9007199254740993}' })).toBe(true);
    expect(run('f == f', { f: NaN })).toBe(false);
    expect(run('total < total', { total: 'NaN' })).toBe(false);
    expect(run('total > 1', { total: 'Infinity' })).toBe(true);
  });

  it('are refused where the result would not be exact or not defined', () => {
    expect(fault('id + 1', { id: big })).toBe('E_RECORD_EXPRESSION: the result is beyond 64 bits');
    expect(fault('-id', { id: -(2n ** 63n) })).toContain('64 bits');
    expect(fault('id / 0', { id: 1n })).toContain('division by zero');
    expect(fault('total + 1', { total: 'NaN' })).toContain('NaN');
    expect(problem('total / 2')).toBe('there is no decimal / int; use divide(a, b, digits), which says where to round');
    expect(problem('id * f')).toContain('convert one side with double(…) or decimal(…)');
    expect(problem('id * 1.5')).toContain('no int * double');
    expect(problem('total + f')).toContain('no decimal + double');
    expect(problem('9223372036854775808 + 1')).toContain('64 bits');
    expect(problem('1u')).toContain('unsigned');
  });

  it('round where it is said', () => {
    expect(shown(run('round(total, 1)', { total: '-1.25' }))).toBe('-1.3');
    expect(shown(run('divide(total, 3, 4)', { total: '2' }))).toBe('0.6667');
    expect(shown(run('divide(id, n, 0)', { id: -5n, n: 2 }))).toBe('-3');
    expect(shown(run('divide(1, 3, 0)'))).toBe('0');
    expect(run('int(total)', { total: '-1.9' })).toBe(-1n);
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1 }), fc.boolean(), (a, b, negative) => {
        const text = shown(run(`divide(${a}, ${negative ? -b : b}, 3)`)) as string;
        expect(Math.abs(Number(text) - a / (negative ? -b : b))).toBeLessThanOrEqual(0.0005 + 1e-6);
      }),
    );
  });

  it('convert exactly, or say that they do not', () => {
    expect(shown(run('decimal(f)', { f: 0.1 }))).toBe('0.1');
    expect(shown(run('string(total)', { total: '1.50' }))).toBe('1.50');
    expect(run('int(name)', { name: '42' })).toBe(42n);
    expect(fault('int(name)', { name: 'x' })).toBe('E_RECORD_EXPRESSION: the text is no int64');
    expect(fault('int(name)', { name: 'secret' })).not.toContain('secret');
    expect(fault('int(f)', { f: NaN })).toContain('no int');
  });
});

describe('texts in expressions', () => {
  it('count code points', () => {
    expect(run('size(name)', { name: 'a😀é' })).toBe(3n);
    expect(run('name.substring(1, 2)', { name: 'a😀é' })).toBe('😀');
    expect(run('name.indexOf("é")', { name: 'a😀é' })).toBe(2n);
    expect(run('name.charAt(1)', { name: 'a😀é' })).toBe('😀');
    expect(run('name < "\uffff"', { name: '😀' })).toBe(false);
    expect(fault('name.substring(5)', { name: 'abc' })).toContain('outside');
  });

  it('do what the example of the documentation says', () => {
    expect(run("name + ' #' + string(id)", { name: 'Ann', id: 7n })).toBe('Ann #7');
  });

  it('split, join, replace and change case', () => {
    expect(shown(run("name.split(',')", { name: 'a,b' }))).toBe('["a","b"]');
    expect(run("name.split(',').join('-')", { name: 'a,b' })).toBe('a-b');
    expect(run("name.replace('a', '$&')", { name: 'aba' })).toBe('$&b$&');
    expect(run('name.lowerAscii()', { name: 'AÉ' })).toBe('aÉ');
    expect(run('name.lower()', { name: 'AÉ' })).toBe('aé');
    expect(run('name.trim()', { name: ' a ' })).toBe('a');
    expect(run('tags.join("+")', { tags: ['a', 'b'] })).toBe('a+b');
    expect(fault('tags.join("+")', { tags: ['a', null] })).toContain('texts');
  });

  it('match patterns in linear time', () => {
    const started = performance.now();
    expect(run("name.matches('^(a+)+$')", { name: `${'a'.repeat(200_000)}!` })).toBe(false);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(run("name.matches('^[a-z]+@[a-z.]+$')", { name: 'ann@example.org' })).toBe(true);
    expect(problem("name.matches('(a')")).toContain('closed');
    expect(problem("name.matches('(?=a)')")).toContain('look-around');
    expect(problem('name.matches(name)')).toContain('written out in quotes');
  });

  it('survive huge values', () => {
    const name = 'x'.repeat(5_000_000);
    expect(run("name.contains('y') || size(name) == 5000000", { name })).toBe(true);
  });
});

describe('times in expressions', () => {
  const at = cellFromText('timestamptz', '2026-11-24T10:30:00.123456Z');
  it('keep their microseconds', () => {
    expect(shown(run('at + duration("0.000001s")', { at }))).toBe('2026-11-24T10:30:00.123457Z');
    expect(shown(run('string(at)', { at }))).toBe('2026-11-24T10:30:00.123456Z');
    expect(run('at == timestamp("2026-11-24T11:30:00.123456+01:00")', { at })).toBe(true);
    expect(shown(run('at - timestamp("2026-11-24T10:30:00Z")', { at }))).toBe('PT0.123456S');
    expect(shown(run('duration("1h30m")'))).toBe('PT5400S');
    expect(fault('timestamp(name)', { name: '2026-11-24T10:30:00.1234567Z' })).toContain('no timestamptz');
  });

  it('show parts in a zone', () => {
    expect(run('at.getHours()', { at })).toBe(10n);
    expect(run('at.getHours("Europe/Berlin")', { at })).toBe(11n);
    expect(run('at.getFullYear()', { at })).toBe(2026n);
    expect(run('at.getMonth()', { at })).toBe(10n);
    expect(run('at.getDayOfWeek()', { at })).toBe(2n);
    expect(run('at.getDayOfYear()', { at })).toBe(327n);
    expect(problem('at.getHours("Mars/Base")')).toContain("no time zone 'Mars/Base'");
    expect(shown(run('date(at, "Pacific/Auckland")', { at }))).toBe('2026-11-24');
    expect(shown(run('timestamp(civil, "Europe/Berlin")', { civil: '2026-07-01 12:00:00' }))).toBe('2026-07-01T10:00:00Z');
  });

  it('compare with their like only', () => {
    expect(run('day >= date("2026-01-01")', { day: '2026-01-02' })).toBe(true);
    expect(run('day > date("9999-01-01")', { day: '10000-01-01' })).toBe(true);
    expect(run('day < date("0001-01-01")', { day: '0044-03-15 BC' })).toBe(true);
    expect(run('day > date("2026-01-01")', { day: 'infinity' })).toBe(true);
    expect(problem('day == "2026-01-01"')).toContain('convert with date(…)');
    expect(problem('at > civil')).toContain('no timestamp > datetime');
  });

  it('do not add up to what cannot be held', () => {
    expect(fault('at + duration("10000000h")', { at: 9_200_000_000_000_000_000n })).toContain('no instant');
    expect(shown(run('at + duration("1h")', { at: 2n ** 63n - 1n }))).toBe('infinity');
  });
});

describe('what is inside json', () => {
  const payload = '{"customer":{"name":"Ann","tags":["a","b"]},"n":12345678901234567890.10,"__proto__":{"x":1}}';
  it('is reached by name and keeps its digits', () => {
    expect(run('payload.customer.name', { payload })).toBe('Ann');
    expect(run('payload.customer.tags[1]', { payload })).toBe('b');
    expect(shown(run('payload.n', { payload }))).toBe('12345678901234567890.10');
    expect(shown(run('payload.n + 0.01', { payload }))).toBe('12345678901234567890.11');
    expect(run('payload["__proto__"].x', { payload })).toBe(1n);
    expect(run("payload.customer.tags.exists(t, t == 'b')", { payload })).toBe(true);
    expect(run("'a' in payload.customer.tags", { payload })).toBe(true);
    expect(run('size(payload.customer.tags)', { payload })).toBe(2n);
    expect(run('payload.customer.name.startsWith("A")', { payload })).toBe(true);
    expect(shown(run('payload.customer.tags.map(t, t + "!")', { payload }))).toBe('["a!","b!"]');
    expect(shown(run('payload.customer.tags.filter(t, t != "a")', { payload }))).toBe('["b"]');
    expect(run('payload.customer.tags.all(t, size(t) == 1)', { payload })).toBe(true);
    expect(run('payload.customer.tags.exists_one(t, t == "a")', { payload })).toBe(true);
  });

  it('is asked for with has, and is a fault when it is not there', () => {
    expect(run('has(payload.customer.phone)', { payload })).toBe(false);
    expect(run('has(payload.customer) && payload.customer.name == "Ann"', { payload })).toBe(true);
    expect(fault('payload.phone', { payload })).toBe("E_RECORD_EXPRESSION: '.phone' is not there; ask with has(…) first");
    expect(fault('payload.toString', { payload })).toContain('not there');
    expect(fault('payload.constructor', { payload })).toContain('not there');
    expect(fault('payload.customer.tags[2]', { payload })).toContain('no such position');
    expect(fault('payload.customer > 1', { payload })).toContain('no map > int');
    expect(fault('payload.a', { payload: '{' })).toContain('no JSON');
    expect(fault('payload.a', { payload: '['.repeat(200_000) })).toContain('no JSON');
  });

  it('hides a fault behind a side that decides', () => {
    expect(run('payload.phone == 1 || true', { payload })).toBe(true);
    expect(run('payload.phone == 1 && false', { payload })).toBe(false);
    expect(fault('payload.phone == 1 && true', { payload })).toContain('not there');
  });
});

describe('mistakes in expressions', () => {
  it('are found before the run, at their place', () => {
    expect(problem('totl > 1')).toMatch(
      /^'totl' is not a field of source stream 'public\.orders'\. Fields: id, .* Did you mean 'total'\?$/,
    );
    expect(problem('name.lenght()')).toContain("there is no function 'lenght'");
    expect(problem('sizee(name)')).toContain("Did you mean 'size'?");
    expect(problem('name > 1')).toContain('no string > int');
    expect(problem('name + 1')).toContain('convert with string(…)');
    expect(problem('name == 1')).toContain('no string == int');
    expect(problem('ok && name')).toContain("'&&' needs a bool");
    expect(problem('name ? 1 : 2')).toContain('condition');
    expect(problem('ok ? 1 : "x"')).toContain('one type');
    expect(problem('id[0]')).toContain('nothing inside');
    expect(problem('name.foo')).toContain('nothing inside');
    expect(problem('id in ["a"]')).toContain('no int in list(string)');
    expect(problem('upper(name)')).toContain('called as x.upper()');
    expect(problem('name.size(1)')).toContain('There is: bytes.size()');
    expect(problem('')).not.toBe('no problem');
    expect(problem('1 +')).not.toBe('no problem');
    expect(problem('a'.repeat(20_000))).toContain('characters');
    expect(problem('('.repeat(5000))).not.toBe('no problem');
    expect(problem('!'.repeat(5000) + 'ok')).not.toBe('no problem');
    expect(problem('at > timestamp("yesterday")')).toBe('the text is no timestamptz');
    expect(problem('duration("1 hour") > duration("1h")')).toContain("such as '1h30m'");
    expect(problem('tags.exists(1, true)')).toContain('variable');
    expect(problem('tags.exists(t, t)')).toContain('must be a bool');
    try {
      check('id > 1 && totl > 1');
    } catch (error) {
      expect((error as { start: number }).start).toBe(10);
    }
  });

  it('infer types', () => {
    const type = (text: string) => celTypeText(check(text).type);
    expect(type('id + 1')).toBe('int');
    expect(type('total * 2')).toBe('decimal');
    expect(type("name + 'x'")).toBe('string');
    expect(type('payload.a')).toBe('dyn');
    expect(type('tags')).toBe('list(string)');
    expect(type('tags.map(t, size(t))')).toBe('list(int)');
    expect(type('ok ? null : 1')).toBe('int');
    expect(type('code')).toBe('string');
    expect(type('at - at')).toBe('duration');
  });

  it('reach fields with odd names through field("…")', () => {
    expect(run('field("odd name") + "!"', { 'odd name': 'x' })).toBe('x!');
    expect(check('field("odd name") + name').reads).toEqual(['odd name', 'name']);
    expect(problem('field("odd nam")')).toContain("Did you mean 'odd name'?");
    expect(
      run('field("__proto__")', Object.defineProperty({}, '__proto__', { value: 'p', enumerable: true }) as Record<string, Cell>),
    ).toBe('p');
    expect(problem('constructor')).toContain('not a field');
    expect(problem('toString')).toContain('not a field');
  });

  it('never end in anything but a problem', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'abid01. +-*/()[]{}"\'<>=!&|?:,xus\\n') }), (text) => {
        try {
          check(text);
        } catch (error) {
          expect([text, (error as Error).constructor.name]).toEqual([text, 'ExpressionProblem']);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
