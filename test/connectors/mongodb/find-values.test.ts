import { serialize } from 'bson';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rawDocument } from '../../../connectors/mongodb/bson/read.ts';
import type { RawValue } from '../../../connectors/mongodb/bson/read.ts';
import { rawAt } from '../../../connectors/mongodb/read/decode.ts';
import { valueFinder } from '../../../connectors/mongodb/document/find-values.ts';

const NAMES = ['aaa', 'b', 'c', ''];
const path = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 });

/** Names that stand twice among them, which no driver writes: `xxx` becomes `aaa`. */
const node: fc.Arbitrary<Map<string, unknown>> = fc.letrec<{ node: Map<string, unknown> }>((tie) => ({
  node: fc
    .array(fc.tuple(fc.constantFrom(...NAMES, 'xxx'), fc.oneof(fc.integer(), fc.constant(null), tie('node'))), { maxLength: 5 })
    .map((entries) => new Map<string, unknown>(entries)),
})).node;

function bytesOf(document: Map<string, unknown>): Buffer {
  const bytes = Buffer.from(serialize(document as never));
  for (let at = bytes.indexOf('xxx\0'); at >= 0; at = bytes.indexOf('xxx\0', at + 1)) bytes.write('aaa', at);
  return bytes;
}

const place = (value: RawValue | null) => (value === null ? null : [value.type, value.from, value.to]);

it('finds in one look what looking along each path finds, where names stand twice as well', () => {
  let doubled = 0;
  fc.assert(
    fc.property(node, fc.array(path, { maxLength: 8 }), (document, paths) => {
      if (document.has('aaa') && document.has('xxx')) doubled += 1;
      const raw = rawDocument(bytesOf(document));
      expect(valueFinder(paths)(raw).map(place)).toEqual(paths.map((one) => place(rawAt(raw, one))));
    }),
    { numRuns: 2000 },
  );
  expect(doubled).toBeGreaterThan(20);
});
