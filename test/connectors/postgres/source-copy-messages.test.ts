import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SIGNATURE, signatureStripper } from '../../../connectors/postgres/copy/binary.ts';
import { OversizedRowFound, messageCollector, rowPieces } from '../../../connectors/postgres/copy/messages.ts';
import type { MessageLimits, Messages } from '../../../connectors/postgres/copy/messages.ts';
import { dataMessages, headerStripper } from '../../../connectors/postgres/copy/out.ts';
import { SLAB_BYTES, createSlabs } from '../../../connectors/postgres/copy/slabs.ts';

const UNLIMITED: MessageLimits = { count: 1e9, bytes: 1e9, rowBytes: 1e9, binary: false };

function message(type: string, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body as string);
  const header = Buffer.alloc(5, type);
  header.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

/** What a server sends for these rows, with what it may say in between. */
function sentFor(rows: readonly string[], asides: readonly boolean[] = []): Buffer {
  const body = rows.flatMap((row, index) => [...(asides[index] === true ? [message('N', 'a notice')] : []), message('d', row)]);
  return Buffer.concat([message('H', '\0\0\0'), ...body, message('c', ''), message('C', 'COPY 3\0')]);
}

/** The bytes cut at these places. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return [...chunks, Buffer.from(bytes.subarray(at))].filter((chunk) => chunk.length > 0);
}

function collect(chunks: readonly Buffer[], limits: MessageLimits): { readonly batches: Messages[]; readonly rest: Buffer | null } {
  const [messages, collector, batches] = [dataMessages(), messageCollector(limits, createSlabs()), [] as Messages[]];
  let rest: Buffer | null = null;
  for (const chunk of chunks) {
    if (rest !== null) {
      rest = Buffer.concat([rest, chunk]);
      continue;
    }
    const taken = messages(chunk);
    rest = taken.rest === null ? null : Buffer.from(taken.rest);
    for (const run of taken.runs)
      for (let at = 0; at < run.length;) {
        at = collector.add(run, at);
        if (collector.full) batches.push(collector.take());
      }
    chunk.fill(0xff); // the next read goes to the same place
  }
  expect(collector.open).toBe(false);
  if (!collector.empty) batches.push(collector.take());
  return { batches, rest };
}

const lastRow = ({ pieces, lastRowAt }: Messages): Buffer => Buffer.concat(pieces).subarray(lastRowAt);
const textOf = (pieces: Iterable<Buffer>): string => Buffer.concat([...pieces]).toString();
const rows = fc.array(
  fc.string({ unit: 'binary', maxLength: 30 }).map((text) => `${text}\n`),
  { minLength: 1, maxLength: 40 },
);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 100 });

describe('connectors: postgres, rows that are handed on as COPY sent them', () => {
  it('come together whatever the cuts and the asides, in batches that the limits bound', () => {
    fc.assert(
      fc.property(rows, sizes, fc.array(fc.boolean()), fc.integer({ min: 1, max: 10 }), (all, cuts, asides, count) => {
        const { batches, rest } = collect(cut(sentFor(all, asides), cuts), { ...UNLIMITED, count });
        expect(batches.map((batch) => batch.count)).toEqual(
          Array.from({ length: Math.ceil(all.length / count) }, (_, index) => Math.min(count, all.length - index * count)),
        );
        expect(batches.map((batch) => textOf(rowPieces(batch))).join('')).toBe(all.join(''));
        expect(batches.map((batch) => lastRow(batch).toString())).toEqual(
          batches.map((_, index) => all[Math.min(all.length, (index + 1) * count) - 1]),
        );
        expect(Buffer.concat(batches.flatMap(({ pieces }) => pieces)).equals(Buffer.concat(all.map((row) => message('d', row))))).toBe(
          true,
        );
        expect(rest?.toString()).toContain('COPY 3');
      }),
    );
  });

  it('lose their headers in place, whatever the cuts', () => {
    fc.assert(
      fc.property(rows, sizes, (all, cuts) => {
        const strip = headerStripper();
        const stripped = cut(Buffer.concat(all.map((row) => message('d', row))), cuts).map((chunk) => Buffer.from(strip(chunk)));
        expect(textOf(stripped)).toBe(all.join(''));
      }),
    );
  });

  it('come without the signature and the end of the binary format', () => {
    const tuple = Buffer.from('00010000000161', 'hex');
    const bytes = Buffer.concat([
      message('d', Buffer.concat([SIGNATURE, tuple])),
      message('d', tuple),
      message('d', Buffer.from('ffff', 'hex')),
    ]);
    for (let size = 1; size < bytes.length; size++) {
      const [strip, messages] = [signatureStripper(), dataMessages()];
      const collector = messageCollector({ ...UNLIMITED, binary: true }, createSlabs());
      for (const chunk of cut(bytes, [size]))
        for (const run of messages(chunk).runs.map(strip)) for (let at = 0; at < run.length;) at = collector.add(run, at);
      expect(collector.open).toBe(false);
      const taken = collector.take();
      expect({ count: taken.count, bytes: Buffer.concat(taken.pieces).toString('hex'), lastRow: lastRow(taken).toString('hex') }).toEqual({
        count: 2,
        bytes: Buffer.concat([message('d', tuple), message('d', tuple)]).toString('hex'),
        lastRow: tuple.toString('hex'),
      });
    }
  });

  it('span slabs, which are used again once they are given back', () => {
    const slabs = createSlabs();
    const collector = messageCollector(UNLIMITED, slabs);
    const long = `${'x'.repeat(SLAB_BYTES)}\n`;
    collector.add(Buffer.concat([message('d', 'a\n'), message('d', long)]), 0);
    const first = collector.take();
    expect(first.pieces.length).toBe(2);
    expect(textOf(rowPieces(first))).toBe(`a\n${long}`);
    expect(lastRow(first).toString()).toBe(long);
    const memory = new Set(first.pieces.map(({ buffer }) => buffer));
    first.release();
    first.release();
    expect(first.pieces).toEqual([]);
    const [one, two] = [slabs.take(), slabs.take()];
    expect(one.length).toBe(SLAB_BYTES);
    expect(memory.has(one.buffer) && memory.has(two.buffer) && one.buffer !== two.buffer).toBe(true);
    expect(memory.has(slabs.take().buffer)).toBe(false);
  });

  it('do not hold a row over the limit, which is told before it has come', () => {
    const collector = messageCollector({ ...UNLIMITED, rowBytes: 10 }, createSlabs());
    expect(collector.add(message('d', `${'x'.repeat(10)}\n`), 0)).toBe(16);
    expect(() => collector.add(message('d', `${'x'.repeat(11)}\n`).subarray(0, 5), 0)).toThrow(OversizedRowFound);
  });
});
