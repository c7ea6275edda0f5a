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

/** Documents as one group: in the memory that they lie in, where that is one piece, else in a copy. */
export function groupOf(documents: readonly Uint8Array[]): DocumentGroup {
  const [first, last] = [documents[0], documents.at(-1)];
  if (first === undefined || last === undefined) return { bytes: Buffer.alloc(0), starts: [] };
  let end = first.byteOffset;
  const inOrder = documents.every(({ buffer, byteOffset, byteLength }) => {
    const follows = buffer === first.buffer && byteOffset >= end;
    end = byteOffset + byteLength;
    return follows;
  });
  if (inOrder) {
    const bytes = Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
    return { bytes, starts: documents.map(({ byteOffset }) => byteOffset - first.byteOffset) };
  }
  let at = 0;
  return { bytes: Buffer.concat(documents), starts: documents.map(({ byteLength }) => (at += byteLength) - byteLength) };
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
