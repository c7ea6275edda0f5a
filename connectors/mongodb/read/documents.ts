import { TrueupError } from '../../../src/sdk.ts';
import { BSON, terminator } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';

/** Documents of one answer of the server, in its own bytes. An object for each of them would cost more than what is made of it. */
export interface DocumentGroup {
  readonly bytes: Buffer;
  /** Where each of them begins. */
  readonly starts: readonly number[];
}

/** Documents `from <= i < to` of a group. */
export interface DocumentSpan {
  readonly group: DocumentGroup;
  readonly from: number;
  readonly to: number;
}

/** The documents of an array. @throws {TrueupError} `E_BUG` when it holds anything else */
export function groupOf({ bytes, from, to }: RawValue): DocumentGroup {
  const starts: number[] = [];
  const end = to - 1;
  for (let at = from + 4; at < end;) {
    const start = terminator(bytes, at + 1, end) + 1;
    const stop = start + 5 > end ? -1 : start + bytes.readInt32LE(start);
    if (bytes[at] !== BSON.document || stop < start + 5 || stop > end)
      throw new TrueupError('E_BUG', 'MongoDB answered with something that is not a list of documents.');
    starts.push(start);
    at = stop;
  }
  return { bytes, starts };
}

export function groupOfDocuments(documents: readonly Uint8Array[]): DocumentGroup {
  let at = 0;
  const starts = documents.map(({ byteLength }) => (at += byteLength) - byteLength);
  return { bytes: Buffer.concat(documents), starts };
}

/** Bytes of a document. */
export function sizeAt({ bytes, starts }: DocumentGroup, index: number): number {
  return bytes.readInt32LE(starts[index] as number);
}

export function documentAt(group: DocumentGroup, index: number): Buffer {
  const start = group.starts[index] as number;
  return group.bytes.subarray(start, start + sizeAt(group, index));
}

export function documentsOf(spans: readonly DocumentSpan[]): Buffer[] {
  return spans.flatMap(({ group, from, to }) => Array.from({ length: to - from }, (_, index) => documentAt(group, from + index)));
}
