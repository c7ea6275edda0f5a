import { serialize } from 'bson';
import type { Sink } from '../bson/sink.ts';
import type { BsonMap } from '../document/document.ts';

/** Operations of one kind as BSON, one after another. */
export interface Packed {
  readonly bytes: Buffer;
  /** Where each ends. */
  readonly ends: readonly number[];
  /** The record of each, within its batch. */
  readonly indices: readonly number[];
}

/** What a sink holds. The bytes stay there: they are good until the sink is written to again. */
export function packedSink(sink: Sink, { ends, indices }: Pick<Packed, 'ends' | 'indices'>): Packed {
  return { bytes: sink.bytes.subarray(0, sink.at), ends, indices };
}

export function packed(operations: readonly { readonly index: number; readonly body: BsonMap | object }[]): Packed {
  const parts = operations.map(({ body }) => serialize(body as never));
  let at = 0;
  return { bytes: Buffer.concat(parts), ends: parts.map(({ length }) => (at += length)), indices: operations.map(({ index }) => index) };
}

export interface PackedPart {
  readonly bytes: Buffer;
  readonly indices: readonly number[];
}

/** Of one command; the server takes a message of 48 MiB. */
const OPERATIONS = 10_000;
const BYTES = 12 * 1024 * 1024;

/** In parts that a command takes. */
export function* partsOfPacked({ bytes, ends, indices }: Packed): Generator<PackedPart> {
  let first = 0;
  let start = 0;
  for (let index = 1; index <= ends.length; index += 1) {
    const isFull = index - first >= OPERATIONS || (ends[index] ?? Infinity) - start > BYTES;
    if (!isFull && index < ends.length) continue;
    const end = ends[index - 1] as number;
    yield { bytes: bytes.subarray(start, end), indices: indices.slice(first, index) };
    first = index;
    start = end;
  }
}
