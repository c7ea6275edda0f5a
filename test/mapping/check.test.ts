import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { mappingSchema } from '../../src/mapping/schema.ts';
import { parseMapping } from '../../src/mapping/parse.ts';
import { check, shapeOf } from './mapping-fixture.ts';

const source = shapeOf({
  id: 'int64',
  placed_at: 'timestamp',
  total: 'decimal',
  name: 'text',
  payload: 'json',
  at: 'timestamptz',
  f: 'float64',
  n: 'int64',
  tags: { list: 'text' },
});
const problems = (text: string, options = {}, shape = source) => check(text, shape, options).problems;

describe('the form of a mapping', () => {
  it.each([
    [
      'feilds: { a: id }',
      "m.yaml:1:1 [E_MAPPING_INVALID] 'feilds' is not a key of a mapping. Known: where, fields, key, otherFields, drop, embed, unwind. Did you mean 'fields'?",
    ],
    [
      'fields:\n  a: { from: id, shft: 2 }',
      "m.yaml:2:18 [E_MAPPING_INVALID] 'shft' is not a key here. Known: from, shift, zone, lookup, default, mask, type, onLoss. Did you mean 'shift'?",
    ],
    ['fields: [a]', "m.yaml:1:9 [E_MAPPING_INVALID] 'fields' must be keys and values, not a list"],
    [
      'fields: { a: 5 }',
      "m.yaml:1:14 [E_MAPPING_INVALID] field 'a' must be the name of a source field, or one of { from: … }, { const: … }, { expr: … }, not a number",
    ],
    [
      'fields: { a: }',
      "m.yaml:1:11 [E_MAPPING_INVALID] field 'a' must be the name of a source field, or one of { from: … }, { const: … }, { expr: … }, not nothing",
    ],
    [
      'fields: { a: { form: id } }',
      "m.yaml:1:14 [E_MAPPING_INVALID] field 'a' must be the name of a source field, or one of { from: … }, { const: … }, { expr: … }",
    ],
    ['fields: { a: { from: id, shift: 1.5 } }', "m.yaml:1:33 [E_MAPPING_INVALID] 'shift' must be a whole number, not a number"],
    ['fields: { a: { from: id, shift: 1000 } }', "m.yaml:1:33 [E_MAPPING_INVALID] 'shift' must be at most 100"],
    [
      'fields: { a: { from: id, onLoss: trunc } }',
      "m.yaml:1:34 [E_MAPPING_INVALID] 'onLoss' must be one of error, text, truncate, null, not 'trunc'. Did you mean 'truncate'?",
    ],
    [
      'fields: { a: { from: id, mask: sha25 } }',
      "m.yaml:1:32 [E_MAPPING_INVALID] 'mask' must be one of sha256, redact, last4, { … }, not 'sha25'. Did you mean 'sha256'?",
    ],
    [
      'fields: { a: { from: id, mask: { hmc: x } } }',
      "m.yaml:1:34 [E_MAPPING_INVALID] 'hmc' is not a key here. Known: hmac. Did you mean 'hmac'?",
    ],
    [
      'fields: { a: { from: id, lookup: { x: [1] } } }',
      "m.yaml:1:39 [E_MAPPING_INVALID] 'x' must be a text, number, true, false or null, not a list",
    ],
    [
      'fields: { a: { from: id, shift: 1, mask: redact } }',
      "m.yaml:1:36 [E_MAPPING_INVALID] 'shift' and 'mask' cannot stand together; make one of them a field of its own",
    ],
    ['fields: { a: { from: id, default: 1 } }', "m.yaml:1:26 [E_MAPPING_INVALID] 'default' belongs to 'lookup'"],
    [
      'otherFields: kepe',
      "m.yaml:1:14 [E_MAPPING_INVALID] 'otherFields' must be one of drop, keep, error, { … }, not 'kepe'. Did you mean 'keep'?",
    ],
    ['drop: notes', "m.yaml:1:7 [E_MAPPING_INVALID] 'drop' must be a list, not text"],
    ['embed: { items: { from: x } }', "m.yaml:1:17 [E_MAPPING_INVALID] 'on' is missing: which field of theirs equals which of the parent"],
    ['embed: { items: { from: x, on: { a: id }, feilds: { a: a } } }', "'feilds' is not a key of an embed. Known: from, on,"],
    ['embed: { items: { from: x, on: { a: id }, fields: { a: { form: a } } } }', "m.yaml:1:56 [E_MAPPING_INVALID] field 'a' must be"],
    ['embed: { items: { from: x, on: { a: id }, orderBy: [{ a: down }] } }', '[E_MAPPING_INVALID]'],
    ['embed: { items: x }', "m.yaml:1:17 [E_MAPPING_INVALID] 'items' must say where its records come from"],
    ['unwind: { x: 1 }', "m.yaml:1:14 [E_MAPPING_INVALID] 'x' must be { path: …, fields: … }, not a number"],
    ['- a', 'm.yaml:1:1 [E_MAPPING_INVALID] a mapping must be keys and values, not a list'],
    ['where: ""', "m.yaml:1:8 [E_MAPPING_INVALID] 'where' must not be empty"],
    ['where: 5', "m.yaml:1:8 [E_MAPPING_INVALID] 'where' must be text, not a number"],
    ['fields: { id: id, id: name }', 'm.yaml:1:19 [E_MAPPING_INVALID] Map keys must be unique'],
  ])('%j is refused at its place', (text, problem) => {
    expect(problems(text)).toEqual([expect.stringContaining(problem)]);
  });

  it('is told about all at once, in the order of the file', () => {
    const found = problems('drop: 5\nfields:\n  a: 5\n  b: { from: id, shft: 1 }\nwhat: 1\n');
    expect(found.map((problem) => problem.split(' ')[0])).toEqual(['m.yaml:1:7', 'm.yaml:3:6', 'm.yaml:4:18', 'm.yaml:5:1']);
  });

  it('may be empty: then every field is kept', () => {
    expect(check('', source).plan?.shape.fields).toHaveLength(source.fields.length);
    expect(problems('unwind: {}\nembed: {}')).toEqual([]);
  });
});

describe('a mapping that does not fit its stream', () => {
  it.each([
    [
      'fields:\n  _id: id\n  sum: totl',
      "m.yaml:3:8 [E_MAPPING_INVALID] 'totl' is not a field of source stream 'orders'. Fields: id, placed_at, total, name, payload, at, f, n, tags. Did you mean 'total'?",
    ],
    ['fields: { id: id, a: { from: totl, shift: 2 } }', "m.yaml:1:30 [E_MAPPING_INVALID] 'totl' is not a field"],
    ['fields: { id: id, a: { expr: "1 + totl" } }', "m.yaml:1:35 [E_MAPPING_INVALID] 'totl' is not a field"],
    ['where: totl > 1', "m.yaml:1:8 [E_MAPPING_INVALID] 'totl' is not a field"],
    ['where: name', "m.yaml:1:8 [E_MAPPING_TYPE] 'where' must give true or false, not string"],
    ["where: 'name > 1'", 'm.yaml:1:9 [E_MAPPING_TYPE] there is no string > int'],
    ['fields: { id: id, a: { expr: "name + 1" } }', 'm.yaml:1:31 [E_MAPPING_TYPE] there is no string + int; convert with string(…)'],
    [
      'fields: { id: id, a: { expr: "n + 1", type: text } }',
      "m.yaml:1:45 [E_MAPPING_TYPE] field 'a': the expression gives int, but the type is text; convert with string(…)",
    ],
    [
      'fields: { id: id, a: { expr: "name", type: int64 } }',
      "field 'a': the expression gives string, but the type is int64; convert with int(…)",
    ],
    ['fields: { id: id, a: { expr: "total / 2" } }', 'm.yaml:1:31 [E_MAPPING_TYPE] there is no decimal / int; use divide(a, b, digits)'],
    ['fields: { id: id, a: { from: n, type: int46 } }', "m.yaml:1:39 [E_MAPPING_INVALID] 'int46' is not a type. Known:"],
    [
      'fields: { id: id, a: { from: n, type: date } }',
      "m.yaml:1:39 [E_MAPPING_TYPE] field 'a': there is no conversion from int64 to date: there is no counterpart",
    ],
    [
      'fields: { id: id, a: { from: placed_at, type: timestamptz } }',
      'there is no conversion from timestamp to timestamptz: a civil time and an instant meet only in a time zone: name one with `zone:`, for example zone: Europe/Berlin',
    ],
    [
      'fields: { id: id, a: { from: placed_at, zone: Europe/Berln } }',
      "m.yaml:1:47 [E_MAPPING_INVALID] there is no time zone 'Europe/Berln'. Did you mean 'Europe/Berlin'?",
    ],
    [
      'fields: { id: id, a: { from: n, zone: UTC } }',
      "'zone' makes an instant of a civil time or a civil time of an instant, and int64 is neither",
    ],
    ['fields: { id: id, a: { from: name, shift: 2 } }', "'shift' moves the point of whole numbers and decimals, not of text"],
    [
      'fields: { id: id, a: name.first }',
      "m.yaml:1:22 [E_MAPPING_TYPE] 'name.first': there is nothing named 'first' inside field 'name' (text)",
    ],
    [
      'fields: { id: id, a: { from: n, lookup: { x: 1 } } }',
      "m.yaml:1:43 [E_MAPPING_TYPE] field 'a': 'x' is no int64, so nothing is ever looked up there",
    ],
    ['fields: { id: id, a: { from: n, lookup: { "1": 1, "2": x } } }', "the values of the lookup have no type in common; name a 'type'"],
    [
      'fields: { id: id, a: { from: n, lookup: { "1": x }, type: int32 } }',
      "m.yaml:1:48 [E_MAPPING_TYPE] field 'a': the value is no int32",
    ],
    ['fields: { id: id, a: { const: null } }', "a const of null needs a 'type'"],
    ['fields: { id: id, a: { const: x, type: int32 } }', 'the const is no int32'],
    [
      'fields: { id: id, a: { from: name, mask: { hmac: "${NOPE}" } } }',
      'm.yaml:1:50 [E_CONFIG_SECRET] environment variable NOPE is not set',
    ],
    [
      'fields: { id: id, a: { from: name, mask: { hmac: "plain" } } }',
      'a key does not belong in the file; name it as ${NAME} or ${file:PATH}',
    ],
    [
      'fields: { id: id, a: { from: n, type: int32, onLoss: text } }',
      "m.yaml:1:54 [E_MAPPING_TYPE] field 'a': a int32 cannot hold the text of what is lost",
    ],
    ['fields: { id: id, a: name }\ndrop: [name]', "m.yaml:2:8 [E_MAPPING_INVALID] 'name' is dropped, but the mapping reads it"],
    ['where: name == "x"\nfields: { id: id }\ndrop: [name]', "'name' is dropped, but the mapping reads it"],
    ['otherFields: keep\ndrop: [nme]', "m.yaml:2:8 [E_MAPPING_INVALID] 'nme' is not a field of source stream 'orders'."],
    [
      'fields: { id: id }\notherFields: error',
      "m.yaml:2:14 [E_MAPPING_INVALID] source stream 'orders' has fields that the mapping does not name: placed_at, total, name, payload, at, f, n, tags.",
    ],
    ['fields: { id: id, x: name }\notherFields: { into: x }', "'x' is a field of the mapping already"],
  ])('%j is refused at its place', (text, problem) => {
    expect(problems(text)).toEqual([expect.stringContaining(problem)]);
    expect(check(text, source).plan).toBeNull();
  });

  it('cannot drop the key', () => {
    expect(problems('drop: [id]').join()).toContain("'id' is in the key of the source and cannot be dropped");
  });

  it('is told about all at once', () => {
    expect(problems('where: totl > 1\nfields:\n  id: id\n  a: nme\n  b: { expr: "name + 1" }\ndrop: [totl]')).toHaveLength(4);
  });

  it('names the config for conditions that stand there', () => {
    expect(problems('fields: { id: id }', { where: 'totl > 1' })).toEqual([
      expect.stringMatching(/^trueup\.yaml:7:9 \[E_MAPPING_INVALID\] 'totl' is not a field/),
    ]);
    expect(problems('fields: { id: id }', { deletesWhen: 'name' })).toEqual([
      expect.stringContaining("'deletes.when' must give true or false"),
    ]);
    expect(check(null, source, { where: 'totl > 1' }).problems).toHaveLength(1);
  });

  it('is warned of conversions that mostly lose something', () => {
    const { plan, diagnostics } = check('fields: { id: id, a: { from: f, type: int32 } }', source);
    expect(plan).not.toBeNull();
    expect(diagnostics).toMatchObject([
      { severity: 'warning', code: 'E_MAPPING_TYPE', message: expect.stringContaining('loses fractions') },
    ]);
    expect(check('otherFields: keep\ndrop: [quite_another]', source).diagnostics).toMatchObject([{ severity: 'warning' }]);
  });
});

describe('the key of the target', () => {
  const composite = shapeOf({ a: 'int64', b: 'text', c: 'text' }, ['a', 'b']);
  const keys = (text: string, shape = composite) => {
    const { plan, diagnostics } = check(text, shape);
    return plan === null
      ? diagnostics.filter((one) => one.severity === 'error').map((one) => `${one.code}: ${one.message}`)
      : plan.shape.key.map((index) => plan.shape.fields[index]?.name);
  };

  it('is made of the fields that carry the key of the source', () => {
    expect(keys('fields: { x: c, y: b, z: a }')).toEqual(['z', 'y']);
    expect(keys('fields: { b2: { from: b, mask: { hmac: "${KEY}" } }, a: a }')).toEqual(['a', 'b2']);
    expect(keys('fields: { b2: { from: b, mask: sha256 }, b: b, a: { from: a, type: text } }')).toEqual(['a', 'b']);
    expect(keys('fields: { a: { from: a, shift: -2 }, b: { from: b, lookup: { x: y, y: z } } }')).toEqual(['a', 'b']);
    expect(keys('fields: { _id: { expr: "string(a)" } }', shapeOf({ a: 'int64', b: 'text' }))).toEqual(['_id']);
  });

  it('is an expression over the whole key, with a warning', () => {
    expect(keys(`fields: { _id: { expr: "string(a) + ':' + b" }, c: c }`)).toEqual(['_id']);
    expect(check(`fields: { _id: { expr: "string(a) + ':' + b" } }`, composite).diagnostics).toMatchObject([
      { severity: 'warning', code: 'E_MAPPING_KEY' },
    ]);
  });

  it('is what the mapping names', () => {
    expect(keys('fields: { a: a, a2: a, b: b }\nkey: [a2, b]')).toEqual(['a2', 'b']);
    expect(keys('fields: { a: a, b: b, kind: { const: x } }\nkey: [kind, a, b]')).toEqual(['kind', 'a', 'b']);
  });

  it.each([
    ['fields: { a: a }', "E_MAPPING_KEY: no field carries the key field 'b' of source stream 'orders'"],
    ['fields: { c: c }', "E_MAPPING_KEY: no field carries the key fields 'a', 'b'"],
    ['fields: { a: a, b: { from: b, mask: last4 } }', "('b' does not serve: the mask last4 makes different keys equal)"],
    [
      'fields: { a: a, b: { from: b, mask: redact } }\nkey: [a, b]',
      "E_MAPPING_KEY: key field 'b': the mask redact makes different keys equal",
    ],
    [
      'fields: { a: a, b: { from: b, lookup: { x: 1 }, default: 2 } }\nkey: [a, b]',
      'its lookup makes different keys equal, or has a default',
    ],
    ['fields: { a: a, b: { from: b, lookup: { x: 1, y: 1 } } }\nkey: [a, b]', 'its lookup makes different keys equal'],
    ['fields: { a: { from: a, type: int32, onLoss: "null" }, b: b }\nkey: [a, b]', 'different keys may become equal'],
    [
      'fields: { a: a, c: c }\nkey: [a, c]',
      "E_MAPPING_KEY: key field 'c' is computed from 'c', which is not in the key of the source (a, b)",
    ],
    ['fields: { x: { expr: "string(a) + c" }, b: b }\nkey: [x, b]', "key field 'x' is computed from 'c'"],
    ['fields: { a: a, b: b }\nkey: [a]', "E_MAPPING_KEY: the key leaves out the key field 'b' of the source"],
    ['fields: { a: a, b: b }\nkey: [aa, b]', "E_MAPPING_KEY: 'aa' is not a field of the mapping. Fields: a, b. Did you mean 'a'?"],
  ])('%j is refused', (text, problem) => {
    expect(keys(text).join('\n')).toContain(problem);
  });

  it('is not NULL where it is computed', () => {
    const { plan } = check('fields: { _id: { expr: "string(a)" } }', shapeOf({ a: 'int64' }));
    expect(plan?.shape.fields[0]).toMatchObject({ nullable: false });
  });
});

describe('the schema of a mapping', () => {
  it('becomes JSON Schema, every key described', () => {
    const schema = z.toJSONSchema(mappingSchema(), { io: 'input', target: 'draft-7' }) as {
      properties: Record<string, { description?: string }>;
      required?: string[];
    };
    expect(schema.required ?? []).toEqual([]);
    expect(Object.keys(schema.properties)).toEqual(['where', 'fields', 'key', 'otherFields', 'drop', 'embed', 'unwind']);
    for (const [key, property] of Object.entries(schema.properties)) expect([key, typeof property.description]).toEqual([key, 'string']);
  });

  it('takes the example of the documentation', () => {
    const text = readFileSync(new URL('../../mappings/orders.yaml', import.meta.url), 'utf8');
    expect(parseMapping({ file: 'orders.yaml', text }).diagnostics).toEqual([]);
  });
});

describe('whatever stands in a mapping file', () => {
  it('ends in a plan or in problems with a place, never in an exception', () => {
    const word = fc.constantFrom(
      'id',
      'name',
      'total',
      'from',
      'const',
      'expr',
      'shift',
      'zone',
      'lookup',
      'default',
      'mask',
      'hmac',
      'type',
      'onLoss',
      'fields',
      'where',
      'key',
      'drop',
      'otherFields',
      'into',
      'keep',
      'text',
      'int64',
      'decimal',
      'UTC',
      '${KEY}',
      '${NO}',
      '__proto__',
      'payload.a',
      'a.b',
      '',
      '1 + 1',
      'id > 1',
      'list<',
      '\ud800',
    );
    const leaf = fc.oneof(word, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null));
    const value = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('node'), { maxLength: 3 }), fc.dictionary(word, tie('node'), { maxKeys: 4 })),
    })).node;
    const file = fc.oneof(value, fc.record({ fields: fc.dictionary(word, value, { maxKeys: 4 }), where: leaf }, { requiredKeys: [] }));
    fc.assert(
      fc.property(file, (data) => {
        const { plan, diagnostics } = check(JSON.stringify(data), source);
        for (const diagnostic of diagnostics) expect(diagnostic.line >= 1 && diagnostic.column >= 1).toBe(true);
        expect(plan !== null).toBe(!diagnostics.some((diagnostic) => diagnostic.severity === 'error'));
      }),
      { numRuns: 2000 },
    );
  });
});
