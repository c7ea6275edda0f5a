import { serialize } from 'bson';
import { lineCollector, lineTexts } from '../../connectors/postgres/copy/lines.ts';
import { messageCollector } from '../../connectors/postgres/copy/messages.ts';
import { HEADER_BYTES } from '../../connectors/postgres/copy/out.ts';
import { splitLine } from '../../connectors/postgres/copy/text.ts';
import { copyText } from '../../connectors/postgres/values/encode.ts';
import { createSlabs } from '../../connectors/postgres/copy/slabs.ts';
import { rawDocument, rawElements } from '../../connectors/mongodb/bson/read.ts';
import { addToHash, createHash, finishHash, resetHash } from '../../src/reconcile/hash.ts';
import { order } from '../speed/programs/documents.ts';
import { mapping } from './mapping.ts';

export interface MicroCase {
  readonly name: string;
  prepare(): { readonly records: number; readonly run: () => void };
}

const RECORDS = 100_000;
/** What a read of a socket hands over at most. */
const CHUNK = 256 * 1024;

/** Cells of the narrow table as PostgreSQL writes them. */
function cells(i: number): (string | null)[] {
  const shipped = i % 3 === 0 ? '2026-02-01 00:00:00+00' : null;
  const at = '2025-12-31 23:59:59+00';
  return [String(i), String(i % 50_000), 'paid', '123.45', 'EUR', `${'lorem ipsum '.repeat(8)}${i}`, at, shipped, at, 't'];
}

const rows = (): (string | null)[][] => Array.from({ length: RECORDS }, (_, index) => cells(index + 1));
const lineOf = (row: readonly (string | null)[]): string => `${row.map((cell) => cell ?? '\\N').join('\t')}\n`;

function chunked(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / CHUNK) }, (_, index) => bytes.subarray(index * CHUNK, (index + 1) * CHUNK));
}

const copySplitting: MicroCase = {
  name: 'copy-splitting',
  prepare: () => {
    const chunks = chunked(Buffer.from(rows().map(lineOf).join('')));
    const run = (): void => {
      const collector = lineCollector({ count: RECORDS, bytes: Infinity, perLine: 0, lineBytes: Infinity });
      for (const chunk of chunks) for (let at = 0; at < chunk.length;) at = collector.add(chunk, at);
      let found = 0;
      for (const line of lineTexts(collector.take().lines)) found += splitLine(line).length;
      if (found !== RECORDS * 10) throw new Error(`${found} cells`);
    };
    return { records: RECORDS, run };
  },
};

const copyMessages: MicroCase = {
  name: 'copy-messages',
  prepare: () => {
    const messages = rows().map((row) => {
      const line = Buffer.from(lineOf(row));
      const header = Buffer.alloc(HEADER_BYTES, 'd');
      header.writeUInt32BE(line.length + 4, 1);
      return Buffer.concat([header, line]);
    });
    // Whole messages only: a header is never cut.
    const chunks = Array.from({ length: RECORDS / 1000 }, (_, index) => Buffer.concat(messages.slice(index * 1000, (index + 1) * 1000)));
    const slabs = createSlabs();
    const run = (): void => {
      const collector = messageCollector({ count: RECORDS, bytes: Infinity, rowBytes: Infinity, binary: false }, slabs);
      for (const chunk of chunks) for (let at = 0; at < chunk.length;) at = collector.add(chunk, at);
      const taken = collector.take();
      if (taken.count !== RECORDS) throw new Error(`${taken.count} rows`);
      taken.release();
    };
    return { records: RECORDS, run };
  },
};

const copyEncoding: MicroCase = {
  name: 'copy-encoding',
  prepare: () => {
    const all = rows();
    const run = (): void => {
      let bytes = 0;
      let text = '';
      for (const row of all) {
        for (const cell of row) text += cell === null ? '\t\\N' : `\t${copyText(cell)}`;
        if (text.length < 64 * 1024) continue;
        bytes += Buffer.from(text, 'utf8').length;
        text = '';
      }
      if (bytes === 0) throw new Error('nothing was encoded');
    };
    return { records: RECORDS, run };
  },
};

const bsonDecoding: MicroCase = {
  name: 'bson-decoding',
  prepare: () => {
    const documents = Array.from({ length: RECORDS }, (_, index) => serialize(order(index + 1)));
    const run = (): void => {
      let found = 0;
      for (const document of documents) found += rawElements(rawDocument(document)).length;
      if (found !== RECORDS * 11) throw new Error(`${found} elements`);
    };
    return { records: RECORDS, run };
  },
};

const hashing: MicroCase = {
  name: 'hashing',
  prepare: () => {
    const all = rows();
    const hash = createHash();
    const run = (): void => {
      let sum = 0;
      for (const row of all) {
        resetHash(hash);
        for (const cell of row) addToHash(hash, cell);
        finishHash(hash);
        sum ^= hash.low;
      }
      if (sum === 0) throw new Error('nothing was hashed');
    };
    return { records: RECORDS, run };
  },
};

export const CASES: readonly MicroCase[] = [copySplitting, copyMessages, copyEncoding, ...mapping(rows), bsonDecoding, hashing];
