import { wireTimeMs } from './wire.ts';

/*
 * What pgoutput writes, version 1 of its protocol. https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 * A reader stands at one place of a buffer and moves on; nothing is copied but the texts asked for.
 */

export const BEGIN = 0x42; // B
export const COMMIT = 0x43; // C
export const RELATION = 0x52; // R
export const INSERT = 0x49; // I
export const UPDATE = 0x55; // U
export const DELETE = 0x44; // D
export const TRUNCATE = 0x54; // T

/** Before a tuple: what it holds. */
export const NEW_TUPLE = 0x4e; // N
export const OLD_KEY = 0x4b; // K
export const OLD_ROW = 0x4f; // O

const NULL_CELL = 0x6e; // n
const UNCHANGED = 0x75; // u
const TEXT = 0x74; // t

export interface Reader {
  bytes: Buffer;
  at: number;
}

export interface BeginMessage {
  /** Where its commit lies. */
  readonly commitLsn: bigint;
  readonly timeMs: number;
  readonly xid: number;
}

export function readBegin({ bytes, at }: Reader): BeginMessage {
  return { commitLsn: bytes.readBigUInt64BE(at), timeMs: wireTimeMs(bytes.readBigInt64BE(at + 8)), xid: bytes.readUInt32BE(at + 16) };
}

/** The end of the commit: whoever goes on from there does not see the transaction again. */
export function readCommitEnd({ bytes, at }: Reader): bigint {
  return bytes.readBigUInt64BE(at + 9);
}

/** Columns of a table at a place in the log, in the order of the tuples that follow. */
export interface RelationMessage {
  /** oid of the table. */
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly {
    readonly name: string;
    /** oid of its type. */
    readonly type: string;
    /** Whether tuples of old rows hold it. */
    readonly identity: boolean;
  }[];
}

export function readRelation(reader: Reader): RelationMessage {
  const oid = readInt32(reader);
  const schema = readName(reader) || 'pg_catalog';
  const name = readName(reader);
  reader.at += 1; // the kind of replica identity, which the columns tell more exactly
  const count = readInt16(reader);
  const columns = Array.from({ length: count }, () => {
    const identity = ((reader.bytes[reader.at++] as number) & 1) === 1;
    const column = { name: readName(reader), type: String(readInt32(reader)), identity };
    reader.at += 4; // the type's modifier
    return column;
  });
  return { oid, schema, name, columns };
}

/** oids of the tables that were truncated together. */
export function readTruncate(reader: Reader): number[] {
  const count = readInt32(reader);
  reader.at += 1; // CASCADE, RESTART IDENTITY
  return Array.from({ length: count }, () => readInt32(reader));
}

/**
 * Reads a tuple. Cells are text; NULL is null; `undefined` is a large value that was not changed and is not in the log.
 *
 * @param fields for each column of the tuple its place in the row, -1: not wanted
 * @param width of the row; cells that no column fills are undefined
 * @returns whether a wanted cell is missing because it was not changed
 */
export function readTuple(reader: Reader, fields: Int32Array, row: (string | null | undefined)[]): boolean {
  const { bytes } = reader;
  let { at } = reader;
  const count = bytes.readUInt16BE(at);
  at += 2;
  let missing = false;
  for (let column = 0; column < count; column += 1) {
    const field = fields[column] ?? -1;
    const kind = bytes[at++];
    if (kind === TEXT) {
      const size = bytes.readUInt32BE(at);
      at += 4;
      if (field !== -1) row[field] = bytes.toString('utf8', at, at + size);
      at += size;
    } else if (kind === NULL_CELL) {
      if (field !== -1) row[field] = null;
    } else if (kind === UNCHANGED) {
      missing ||= field !== -1;
    } else throw new RangeError(`a cell of kind ${String(kind)} in the log`);
  }
  reader.at = at;
  return missing;
}

export function readInt32(reader: Reader): number {
  const value = reader.bytes.readUInt32BE(reader.at);
  reader.at += 4;
  return value;
}

function readInt16(reader: Reader): number {
  const value = reader.bytes.readUInt16BE(reader.at);
  reader.at += 2;
  return value;
}

function readName(reader: Reader): string {
  const end = reader.bytes.indexOf(0, reader.at);
  const name = reader.bytes.toString('utf8', reader.at, end);
  reader.at = end + 1;
  return name;
}
