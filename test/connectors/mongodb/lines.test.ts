import { Binary, Decimal128, Double, Int32, Long, ObjectId, serialize } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BsonValue } from '../../../connectors/mongodb/bson/value.ts';
import { openDecoder } from '../../../connectors/mongodb/read/decode.ts';
import type { DecoderInit } from '../../../connectors/mongodb/read/decode.ts';
import { layoutOf } from '../../../connectors/mongodb/document/layout.ts';
import { openDocumentLines } from '../../../connectors/mongodb/lines/document-lines.ts';
import type { DocumentLines } from '../../../connectors/mongodb/lines/document-lines.ts';
import { LineBytes } from '../../../connectors/mongodb/lines/line-bytes.ts';
import { addToSample, emptySample } from '../../../connectors/mongodb/sample.ts';
import { isTrueupError, plainText } from '../../../src/sdk.ts';
import type { Cell, LogicalType } from '../../../src/sdk.ts';
import { bsonDocument, bsonValue, scalarValue } from './bson-values.ts';

const TO_POSTGRES = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' } as const;

/** The line of a document by way of its cells; `null`: there is none. */
function lineByCells(init: DecoderInit, document: Buffer): string | null {
  const decoded = openDecoder(init).decode(document);
  if (!('row' in decoded)) return null;
  try {
    const cells = init.shape.fields.map(({ type }, index) => cellText(type, decoded.row[index]));
    return cells.some((cell) => /\0|\\u0000/.test(cell)) ? null : `${cells.join('\t')}\n`;
  } catch (error) {
    if (isTrueupError(error) && error.fault === 'record') return null;
    throw error;
  }
}

function cellText(type: LogicalType, cell: Cell): string {
  if (cell === null || cell === undefined) return '\\N';
  const text = (plainText(type) as (cell: Cell) => string)(cell);
  return text.replaceAll(/[\\\t\n\r]/g, (char) => TO_POSTGRES[char as '\t']);
}

/** `null`: it is to be decoded. */
function lineOf(lines: DocumentLines, document: Buffer): string | null {
  const out = new LineBytes(16);
  out.ascii('before');
  try {
    lines.write(document, 0, out);
  } catch {
    expect(out.at).toBe('before'.length);
    return null;
  }
  return out.bytes.toString('utf8', 'before'.length, out.at);
}

interface Rules {
  readonly fields?: Readonly<Record<string, LogicalType>>;
  readonly except?: readonly string[];
  readonly without?: readonly string[];
}

function initOf(samples: readonly Buffer[], { fields = {}, except = [], without = [] }: Rules = {}): DecoderInit {
  const sample = emptySample();
  addToSample(sample, samples);
  const layout = layoutOf(sample, { documents: 'fields', fields });
  const left = layout.shape.fields.filter(({ name }) => !without.includes(name) && !except.includes(name));
  return {
    layout,
    shape: { fields: left, key: [left.findIndex(({ name }) => name === '_id')], open: true },
    except: new Set(except),
    maxRecordBytes: 2000,
  };
}

const bytesOf = (document: ReadonlyMap<string, BsonValue>): Buffer => Buffer.from(serialize(document as never));
const ONE = new Int32(1);
/** The elements of a document alone. */
const elements = (of: Readonly<Record<string, BsonValue>>): Buffer => bytesOf(new Map(Object.entries(of))).subarray(4, -1);
const withId = (document: ReadonlyMap<string, BsonValue>, id: BsonValue): Buffer => bytesOf(new Map([['_id', id], ...document]));

/** Few names with mostly one type each, in changing order, some of them missing. */
const plainDocument = fc
  .record(
    {
      text: fc.string({ unit: 'binary', maxLength: 30 }),
      int: fc.integer().map((value) => new Int32(value)),
      long: fc.oneof(fc.nat(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map((value) => Long.fromBigInt(BigInt(value))),
      double: fc.oneof(fc.double(), fc.integer()).map((value) => new Double(value)),
      money: fc
        .tuple(fc.integer(), fc.nat({ max: 99 }))
        .map(([whole, cents]) => Decimal128.fromString(`${whole}.${String(cents).padStart(2, '0')}`)),
      at: fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }).map((ms) => new Date(ms)),
      ref: fc.uint8Array({ minLength: 12, maxLength: 12 }).map((value) => new ObjectId(value)),
      flag: fc.boolean(),
      blob: fc.uint8Array({ maxLength: 20 }).map((value) => new Binary(value)),
      any: bsonValue,
      inner: fc.record(
        { a: fc.string(), b: scalarValue, c: fc.record({ d: fc.nat().map((value) => new Int32(value)) }) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  .chain((made) => fc.shuffledSubarray(Object.entries(made) as [string, BsonValue][]))
  .map((entries) => new Map(entries.map(([name, value]) => [name, asMap(value)])));

function asMap(value: BsonValue): BsonValue {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null
    ? new Map(Object.entries(value as Readonly<Record<string, BsonValue>>).map(([name, one]) => [name, asMap(one)]))
    : value;
}

const RULES: readonly Rules[] = [
  {},
  { fields: { text: 'variant', int: 'int64', money: 'text', 'inner.b': 'json' } },
  { fields: { double: 'decimal', at: 'text', any: 'json' }, without: ['int', 'inner.a'] },
  { except: ['inner.c', 'text', 'other'], without: ['*'] },
  { except: ['any', 'inner.b'] },
];

describe('connectors: mongodb lines', () => {
  it('write documents as the decoder takes them apart, or leave them to it', () => {
    const seen = { lines: 0, left: 0, needless: 0 };
    const documents = fc.array(fc.oneof({ arbitrary: plainDocument, weight: 4 }, { arbitrary: bsonDocument, weight: 1 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(documents, fc.constantFrom(...RULES), fc.nat({ max: 3 }), (made, rules, unseen) => {
        const encoded = made.map((document, index) => withId(document, new Int32(index)));
        const init = initOf(encoded.slice(unseen), rules);
        const lines = openDocumentLines(init);
        expect(lines).not.toBeNull();
        for (const document of encoded) {
          const expected = lineByCells(init, document);
          const line = lineOf(lines as DocumentLines, document);
          if (line !== null) expect(line).toBe(expected);
          seen[line !== null ? 'lines' : expected === null ? 'left' : 'needless']++;
        }
      }),
      { numRuns: 1000 },
    );
    expect(seen.lines).toBeGreaterThan(1000);
    expect(seen.left).toBeGreaterThan(30);
    // A document that could have been a line is only slower.
    expect(seen.needless).toBeLessThan(seen.lines / 50);
  });

  it.each([
    ['a name that stands twice', Buffer.concat([elements({ _id: ONE, a: 'x' }), elements({ a: 'y' })])],
    ['no key', elements({ a: 'x' })],
    ['NUL in a text', elements({ _id: ONE, a: 'x\0' })],
    ['NUL in an unlisted text', elements({ _id: ONE, b: 'x\0' })],
    ['NaN in an unlisted value', elements({ _id: ONE, b: new Double(Number.NaN) })],
    ['another type', elements({ _id: ONE, a: ONE })],
    ['a text that is not UTF-8', Buffer.concat([elements({ _id: ONE }), Buffer.from('\x02a\0\x03\0\0\0\xff\xfe\0', 'latin1')])],
    ['more bytes than there are', Buffer.concat([elements({ _id: ONE }), Buffer.from('\x02a\0\x7f\0\0\0x\0', 'latin1')])],
    ['more than a record may weigh', elements({ _id: ONE, a: 'x'.repeat(2000) })],
  ])('leave a document to the decoder with %s', (_what, body) => {
    const document = Buffer.concat([Buffer.alloc(4), body, Buffer.alloc(1)]);
    document.writeInt32LE(document.length);
    const init = initOf([withId(new Map([['a', 'x']]), new Int32(1))]);
    expect(lineOf(openDocumentLines(init) as DocumentLines, document)).toBeNull();
  });

  it('take every escape of a text and of JSON', () => {
    const text = Array.from({ length: 159 }, (_, index) => String.fromCharCode(index + 1)).join('') + '\\N\\.\u2028🚲';
    const document = withId(
      new Map<string, BsonValue>([
        ['a', text],
        [text, text],
      ]),
      new Int32(1),
    );
    const init = initOf([withId(new Map([['a', 'x']]), new Int32(1))]);
    expect(lineOf(openDocumentLines(init) as DocumentLines, document)).toBe(lineByCells(init, document));
    expect(lineByCells(init, document)).toContain('\\\\u001f');
  });
});
