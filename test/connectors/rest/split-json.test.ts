import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePath, valueAt, withValueAt } from '../../../connectors/rest/json-path.ts';
import { readAnswer } from '../../../connectors/rest/read-answer.ts';
import { exactJsonText, parseExactJson } from '../../../src/sdk.ts';
import type { ExactJson } from '../../../src/sdk.ts';

const encoder = new TextEncoder();

interface Read {
  readonly records: string[];
  readonly rest: ExactJson;
}

async function read(
  text: string,
  path: string,
  cuts: number[] = [],
  more: { format?: 'json' | 'ndjson'; errors?: string } = {},
): Promise<Read> {
  const bytes = encoder.encode(text);
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let index = 1; index < places.length; index++) yield bytes.subarray(places[index - 1], places[index]);
  }
  const answer = readAnswer(body(), {
    format: more.format ?? 'json',
    records: parsePath(path),
    errors: more.errors === undefined ? null : parsePath(more.errors),
    maxPiece: 10_000,
    asked: 'GET https://api.example/items',
  });
  const records: string[] = [];
  let step = await answer.next();
  while (step.done !== true) {
    records.push(...step.value.map(({ json, broken }) => broken ?? exactJsonText(json)));
    step = await answer.next();
  }
  return { records, rest: step.value };
}

describe('records of an answer', () => {
  it('are what JSON.parse finds at their place, wherever the answer is cut, and the rest is the rest', async () => {
    const name = fc.constantFrom('data', 'items', 'a"b', 'ü', '__proto__', 'x\\y', '0');
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 3 }),
        fc.array(fc.jsonValue()),
        fc.jsonValue(),
        fc.array(fc.nat(400), { maxLength: 6 }),
        fc.constantFrom(undefined, 2),
        async (names, records, other, cuts, indent) => {
          const document = names.reduceRight<unknown>(
            (inner, key) =>
              Object.fromEntries([
                ['before', other],
                [key, inner],
                ['after', other],
              ]),
            records,
          );
          const text = JSON.stringify(document, null, indent);
          const path = names.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
          const found = await read(text, path, cuts);
          expect(found.records).toEqual(records.map((record) => exactJsonText(parseExactJson(JSON.stringify(record)))));
          expect(exactJsonText(found.rest)).toBe(exactJsonText(withValueAt(parseExactJson(text), parsePath(path), [])));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keep every digit', async () => {
    const { records } = await read('{"data":[{"a":12345678901234567890.10,"b":1e400,"c":-0}]}', 'data');
    expect(records).toEqual(['{"a":12345678901234567890.10,"b":1e400,"c":-0}']);
  });

  it('may be one object where an array is expected, or none', async () => {
    expect(await read('{"data":{"id":1},"n":2}', 'data')).toMatchObject({ records: ['{"id":1}'] });
    expect((await read('{"data":null}', 'data')).records).toEqual([]);
    expect((await read('{"data":[ ]}', 'data')).records).toEqual([]);
  });

  it.each([
    ['{"data":[{"a":1},{"a":}]}', 'E_ANSWER', /no JSON at character 23$/],
    ['{"data":[1,]}', 'E_ANSWER', /no JSON at character 12$/],
    ['{"data":[{"a":1}],"b":x}', 'E_ANSWER', /no JSON at character 23$/],
    ['{"data":[{"a":1},{"a"', 'E_ANSWER', /ends in the middle/],
    ['{"data":[{"a":1}]', 'E_ANSWER', /no JSON at character 18$/],
    ['{"data":{"a":1', 'E_ANSWER', /ends in the middle/],
    ['<html>no</html>', 'E_ANSWER', /no JSON at character 1$/],
    [
      '{"items":[]}',
      'E_STREAM_UNKNOWN',
      /'data' of the answer should be an array of records, but is not there; the answer is an object with items/,
    ],
    ['{"data":7}', 'E_STREAM_UNKNOWN', /but is a number|but is a object/],
  ])('tell where %s is wrong', async (text, code, message) => {
    await expect(read(text, 'data')).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('never show what stands there', async () => {
    await expect(read('{"data":[{"secret":hunter2}]}', 'data')).rejects.toThrow(
      /^GET https:\/\/api\.example\/items: the answer is no JSON at character \d+$/,
    );
  });

  it('are refused where the answer tells of errors', async () => {
    const failed = '{"data":null,"errors":[{"message":"row values","extensions":{"code":"THROTTLED"}}]}';
    await expect(read(failed, 'data', [], { errors: 'errors' })).rejects.toMatchObject({
      code: 'E_ANSWER',
      message: expect.stringMatching(/1 error \(THROTTLED\)$/) as string,
    });
    expect((await read('{"data":[1],"errors":[]}', 'data', [], { errors: 'errors' })).records).toEqual(['1']);
  });

  it('are lines in NDJSON, of which one may be broken', async () => {
    const { records } = await read('{"id":1}\r\n\nno\n{"id":2.50}', '', [3, 9, 12, 15], { format: 'ndjson' });
    expect(records).toEqual(['{"id":1}', 'line 3 of the answer is no JSON at character 2', '{"id":2.50}']);
    await expect(read('{"id":1}\n{"id":', '', [], { format: 'ndjson' })).rejects.toMatchObject({ code: 'E_ANSWER' });
  });

  it('are no longer than they may be', async () => {
    await expect(read(`{"data":["${'x'.repeat(20_000)}"]}`, 'data')).rejects.toMatchObject({ code: 'E_ANSWER' });
  });
});

describe('a path into JSON', () => {
  it('is names joined by dots, or a pointer', () => {
    expect(parsePath('data.a\\.b.0')).toEqual(['data', 'a.b', '0']);
    expect(parsePath('/data/a~1b/~0')).toEqual(['data', 'a/b', '~']);
    expect(parsePath('')).toEqual([]);
    expect(valueAt(parseExactJson('{"a":[{"b":1}]}'), ['a', '0', 'b'])).toMatchObject({ text: '1' });
    expect(valueAt(parseExactJson('{"a":1}'), ['toString'])).toBeUndefined();
  });

  it('puts a value where objects are missing', () => {
    expect(exactJsonText(withValueAt(parseExactJson('{"q":1}'), ['variables', 'after'], 'x'))).toBe('{"q":1,"variables":{"after":"x"}}');
  });
});
