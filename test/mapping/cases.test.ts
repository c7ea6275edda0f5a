import { describe, expect, it } from 'vitest';

import { runCases } from '../../src/mapping/cases.ts';
import { diagnosticText } from '../../src/model/diagnostic.ts';
import { secrets } from './mapping-fixture.ts';

const MAPPING = 'where: "status != \'draft\'"\nfields:\n  _id: id\n  total: { from: cents, shift: -2 }\n  extra: { expr: "payload" }\n';
const HEAD = 'source: { id: int64, cents: int64, status: text, payload: json }\n';

function run(
  cases: string,
  { mapping = MAPPING, head = HEAD, ...rest }: { mapping?: string; head?: string; secrets?: (text: string) => string } = {},
) {
  const result = runCases({ file: 'm.test.yaml', text: `${head}cases:\n${cases}`, mapping: { file: 'm.yaml', text: mapping }, ...rest });
  return {
    ...result,
    problems: result.diagnostics.map(diagnosticText),
    messages: result.cases.map((one) => (one.passed ? 'passed' : one.message)),
  };
}

describe('the cases of a mapping', () => {
  it('pass when the record becomes what is expected', () => {
    expect(
      run(
        '- { name: a, input: { id: 1, cents: 150 }, expect: { _id: 1, total: 1.50 } }\n- { name: b, input: { id: 2, status: draft }, expect: filtered }\n- { name: c, op: delete, input: { id: 3 }, expect: delete }',
      ).messages,
    ).toEqual(['passed', 'passed', 'passed']);
  });

  it('say what differs, a line per field', () => {
    const { cases } = run('- { name: a, input: { id: 1, cents: 150 }, expect: { _id: 2, total: 1.5, totl: 1 } }');
    expect(cases).toEqual([
      {
        name: 'a',
        passed: false,
        message:
          '  totl: the mapping yields no such field. Fields: _id, total, extra. Did you mean \'total\'?\n  _id: expected "2", got "1"\n  total: expected "1.5", got "1.50"',
      },
    ]);
  });

  it('do not let a field arrive unseen', () => {
    expect(run('- { name: a, input: { id: 1, cents: 150 }, expect: { _id: 1 } }').messages).toEqual([
      '  total: expected nothing, got "1.50"',
    ]);
    expect(run('- { name: a, input: { id: 1, cents: 150 }, expect: { _id: 1, total: null } }').messages).toEqual([
      '  total: expected NULL, got "1.50"',
    ]);
  });

  it('compare json by value, with every digit', () => {
    expect(
      run(`- { name: a, input: { id: 1, payload: '{"b": 1.10, "a": [1]}' }, expect: { _id: 1, extra: '{"a":[1],"b":1.10}' } }`).messages,
    ).toEqual(['passed']);
    expect(run(`- { name: a, input: { id: 1, payload: { x: 1 } }, expect: { _id: 1, extra: { x: 1 } } }`).messages).toEqual(['passed']);
    expect(run(`- { name: a, input: { id: 1, payload: '{"b": 1.10}' }, expect: { _id: 1, extra: '{"b":1.1}' } }`).messages[0]).toContain(
      'extra: expected',
    );
  });

  it('take large integers and every type in its canonical text', () => {
    const head = 'source: { id: int64, at: timestamptz, raw: bytes, d: decimal }\n';
    const mapping = 'fields: { id: id, at: at, raw: raw, d: d }';
    const row = "{ id: 9007199254740993, at: '2026-01-01T00:00:00.000001Z', raw: '\\x00ff', d: 12345678901234567890.10 }";
    expect(run(`- { name: a, input: ${row}, expect: ${row} }`, { head, mapping }).messages).toEqual(['passed']);
    expect(run(`- { name: a, input: ${row}, expect: ${row.replace('740993', '740992')} }`, { head, mapping }).messages[0]).toContain(
      '9007199254740992',
    );
  });

  it('expect faults by code', () => {
    const mapping = 'fields: { _id: id, small: { from: cents, type: int32 } }';
    expect(run('- { name: a, input: { id: 1, cents: 99999999999 }, expect: E_RECORD_LOSS }', { mapping }).messages).toEqual(['passed']);
    expect(run('- { name: a, input: { id: 1, cents: 99999999999 }, expect: E_RECORD_VALUE }', { mapping }).messages[0]).toContain(
      "expected E_RECORD_VALUE, got [E_RECORD_LOSS] field 'small'",
    );
    expect(run('- { name: a, input: { id: 1, cents: 99999999999 }, expect: { _id: 1 } }', { mapping }).messages[0]).toContain(
      'expected a row, got a fault [E_RECORD_LOSS]',
    );
    expect(run('- { name: a, input: { id: 1, cents: 1 }, expect: filtered }', { mapping }).messages[0]).toBe(
      'expected the record to be left out by `where`, got a row',
    );
  });

  it('run patches, and the settings of the stream', () => {
    const head = `${HEAD}deletes: { when: "cents < 0" }\nwhere: "id < 100"\n`;
    expect(
      run(
        '- { name: a, op: patch, input: { id: 1, cents: 5 }, expect: look-up }\n- { name: b, input: { id: 1, cents: -1 }, expect: delete }\n- { name: c, input: { id: 100 }, expect: filtered }',
        { head },
      ).messages,
    ).toEqual(['passed', 'passed', 'passed']);
  });

  it('take secrets from the case file, else from the surroundings', () => {
    const mapping = 'fields: { _id: id, m: { from: status, mask: { hmac: "${KEY}" } }, c: { const: "$${x} ${OTHER}" } }';
    const cases = '- { name: a, input: { id: 1 }, expect: { _id: 1, c: "${x} another key" } }';
    expect(run(cases, { mapping, secrets }).problems).toEqual([]);
    expect(run(cases, { mapping, head: `${HEAD}secrets: { KEY: k }\n`, secrets }).problems).toEqual([]);
    expect(run(cases, { mapping, head: `${HEAD}secrets: { KEY: k, OTHER: another key }\n` }).messages).toEqual(['passed']);
    expect(run(cases, { mapping }).problems[0]).toContain("[E_CONFIG_SECRET] 'secrets' of the case file gives no value for ${KEY}");
  });

  it('are not run when a file has problems, which are all told with their places', () => {
    expect(run('- { name: a, inpt: {}, expect: filtered }').problems.join('\n')).toContain(
      "m.test.yaml:3:14 [E_MAPPING_INVALID] 'inpt' is not a key here. Known: name, op, input, expect. Did you mean 'input'?",
    );
    expect(run('- { name: a, input: { idd: 1 }, expect: filtered }').problems).toEqual([
      "m.test.yaml:3:23 [E_MAPPING_INVALID] 'idd' is not a field of 'source'. Fields: id, cents, status, payload. Did you mean 'id'?",
    ]);
    expect(run('- { name: a, input: { id: x }, expect: filtered }').problems[0]).toContain(
      'm.test.yaml:3:27 [E_MAPPING_INVALID] the value is no int64',
    );
    expect(run('- { name: a, input: {}, expect: E_NOPE }').problems[0]).toContain("'E_NOPE' is not an error code");
    expect(run('- { name: a, input: {}, expect: filtered }', { head: 'source: { id: int46 }\n' }).problems).toEqual([
      "m.test.yaml:1:15 [E_MAPPING_INVALID] 'int46' is not a type",
    ]);
    expect(run('- { name: a, input: {}, expect: filtered }', { head: `${HEAD}key: [nope]\n` }).problems).toHaveLength(1);
    expect(run('- { name: a, input: {}, expect: filtered }', { mapping: 'fields: { id: idd }' })).toMatchObject({
      cases: [],
      problems: [expect.stringContaining('m.yaml:1:15')],
    });
    expect(run('[]').problems).not.toEqual([]);
    expect(runCases({ file: 'm.test.yaml', text: '[', mapping: { file: 'm.yaml', text: MAPPING } }).diagnostics).not.toEqual([]);
  });
});
