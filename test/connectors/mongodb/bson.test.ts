import { Double, Int32, Long, serialize } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rawDocument, rawElements } from '../../../connectors/mongodb/bson/read.ts';
import type { RawValue } from '../../../connectors/mongodb/bson/read.ts';
import { parseExtendedJson } from '../../../connectors/mongodb/bson/ejson-read.ts';
import { extendedJson } from '../../../connectors/mongodb/bson/ejson-write.ts';
import { typedCell, variantCell } from '../../../connectors/mongodb/native.ts';
import { toBson } from '../../../connectors/mongodb/bson/to-bson.ts';
import type { BsonValue } from '../../../connectors/mongodb/bson/value.ts';
import { carrierProblem, parseType, typeText } from '../../../src/sdk.ts';
import { bsonDocument, bsonValue } from './bson-values.ts';

const TO = { extendedJson: true, place: 'a value' };

function bytesOf(value: BsonValue): Buffer {
  return Buffer.from(serialize(new Map([['v', value]]) as never));
}

function rawOf(bytes: Uint8Array): RawValue {
  return (rawElements(rawDocument(bytes))[0] as { value: RawValue }).value;
}

const raw = (value: BsonValue) => rawOf(bytesOf(value));

describe('connectors: mongodb values', () => {
  it('turns every value into a carrier of the type that it names, and back into the same bytes', () => {
    fc.assert(
      fc.property(bsonValue, (value) => {
        const before = bytesOf(value);
        const cell = variantCell(rawOf(before));
        expect(bytesOf(toBson('variant', cell, TO)).toString('hex')).toBe(before.toString('hex'));
        if (cell !== null) expect(carrierProblem(parseType(cell.variant) ?? 'bool', cell.value)).toBeNull();
      }),
      { numRuns: 2000 },
    );
  });

  it('turns every value into Extended JSON and back into the same bytes', () => {
    fc.assert(
      fc.property(
        bsonValue.filter((value) => !hasWrapperName(value)),
        (value) => {
          const before = bytesOf(value);
          const text = extendedJson(rawOf(before));
          expect(() => JSON.parse(text) as unknown).not.toThrow();
          expect(bytesOf(parseExtendedJson(text, 'a value')).toString('hex')).toBe(before.toString('hex'));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('keeps whole documents, names in their order', () => {
    fc.assert(
      fc.property(bsonDocument, (document) => {
        const before = Buffer.from(serialize(document as never));
        const cell = variantCell(rawDocument(before));
        expect(Buffer.from(serialize(toBson('variant', cell, TO) as never)).equals(before)).toBe(true);
      }),
    );
  });

  it('writes a type so that it reads back, whatever the names in it', () => {
    fc.assert(
      fc.property(bsonDocument, (document) => {
        const type = typedCell(rawDocument(serialize(document as never)))?.type ?? 'bool';
        const text = typeText(type);
        const back = parseType(text);
        expect(back).not.toBeNull();
        expect(typeText(back ?? 'bool')).toBe(text);
        if (typeof back === 'object' && back !== null && 'struct' in back)
          expect(back.struct.map((field) => field.name)).toEqual([...document.keys()]);
      }),
    );
  });

  it('tells int32, int64 and double of one number apart, and a list of one type from a mixed one', () => {
    expect(variantCell(raw(new Int32(5)))).toEqual({ variant: 'int32', value: 5 });
    expect(variantCell(raw(Long.fromNumber(5)))).toEqual({ variant: 'int64', value: 5n });
    expect(variantCell(raw(new Double(5)))).toEqual({ variant: 'float64', value: 5 });
    expect(variantCell(raw([new Int32(1), null, new Int32(2)]))).toEqual({ variant: 'list<int32>', value: [1, null, 2] });
    expect(variantCell(raw([new Int32(1), 'x', null]))).toEqual({
      variant: 'list<variant>',
      value: [{ variant: 'int32', value: 1 }, { variant: 'text', value: 'x' }, null],
    });
    expect(
      variantCell(
        raw(
          new Map<string, BsonValue>([
            ['b', 'x'],
            ['a', new Map([['10', true]])],
          ]),
        ),
      ),
    ).toEqual({
      variant: 'struct<b: text, a: struct<10: bool>>',
      value: ['x', [true]],
    });
  });

  it('refuses what it would otherwise change: text that is no UTF-8, broken lengths', () => {
    const bytes = bytesOf('abc');
    bytes[bytes.indexOf('abc')] = 0xff;
    expect(() => variantCell(rawOf(bytes))).toThrow(/UTF-8/);
    const cut = bytesOf('abc').subarray(0, -2);
    expect(() => rawElements(rawDocument(cut))).toThrow(/well-formed/);
    expect(() => toBson('timestamptz', 1n, TO)).toThrow(/microseconds/);
    expect(() => toBson('decimal', '1'.repeat(35), TO)).toThrow(/34 digits/);
    expect(() => toBson(parseType('struct<a: int32, a: int32>') ?? 'bool', [1, 2], TO)).toThrow(/twice/);
  });

  it('keeps an instant that no JavaScript date can hold', () => {
    const bytes = bytesOf(new Date(0));
    bytes.writeBigInt64LE(2n ** 62n, 7);
    expect(variantCell(rawOf(bytes))).toEqual({ variant: 'unknown', value: `{"$date":{"$numberLong":"${2n ** 62n}"}}` });
  });
});

/** A document that looks like Extended JSON's own notation is ambiguous there; as a carrier it is not. */
function hasWrapperName(value: BsonValue): boolean {
  if (Array.isArray(value)) return (value as BsonValue[]).some(hasWrapperName);
  if (!(value instanceof Map)) return false;
  return [...(value as Map<string, BsonValue>)].some(([key, inner]) => key === '$date' || key === '$oid' || hasWrapperName(inner));
}
