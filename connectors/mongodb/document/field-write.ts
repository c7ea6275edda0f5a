import { serialize } from 'bson';
import { TrueupError, isForeign } from '../../../src/sdk.ts';
import type { Cell, Field, LogicalType } from '../../../src/sdk.ts';
import { BSON } from '../bson/read.ts';
import {
  appendBytes,
  beginDocument,
  elementName,
  endDocument,
  indexName,
  putBigInt64,
  putBinary,
  putBool,
  putBytes,
  putDate,
  putDouble,
  putInt32,
  putNull,
  putObjectId,
  putText,
  putUuid,
} from '../bson/sink.ts';
import type { Sink } from '../bson/sink.ts';
import type { BsonValue } from '../bson/value.ts';
import { putDecimalText, putInstantText, putInt32Text, putInt64Text } from './plain-text.ts';

/** Writes a cell as one element. @throws {TrueupError} of a record fault; what was written until then is to be forgotten */
export type WriteCell = (sink: Sink, name: Uint8Array, cell: Cell, note: (kind: string) => void) => void;

/** Writes the text of a cell that was not decoded yet. `false`, and nothing is written: it takes the carrier. */
export type WriteText = (sink: Sink, name: Uint8Array, text: string) => boolean;

/** How the values of a field are written, and those inside of it. */
export interface Writing {
  /** For messages: `field 'total'`. */
  readonly place: string;
  /** Whether values of this type are kept as their text. */
  asText(type: LogicalType): boolean;
  /** What a value is where nothing quicker is known: all rules and policies are in it. */
  toValue(type: LogicalType, cell: Cell, note: (kind: string) => void): BsonValue;
  /** Of a field of a sub-document, which may have a policy of its own. */
  within(field: Field): Writing;
}

/** Writes cells as `toValue` says, most of them without making that value: numbers, texts, instants, and lists and sub-documents of these. */
export function cellWriter(type: LogicalType, writing: Writing): WriteCell {
  const slow: WriteCell = (sink, name, cell, note) => putValue(sink, name, writing.toValue(type, cell, note));
  const quick = quickWriter(type, writing);
  if (quick === null) return slow;
  return (sink, name, cell, note) => {
    if (cell === null || cell === undefined) putNull(sink, name);
    else if (isForeign(type, cell) || !quick(sink, name, cell, note)) slow(sink, name, cell, note);
  };
}

/** `false`, and nothing is written: it is a value that has a rule. */
type QuickWrite = (sink: Sink, name: Uint8Array, cell: Cell, note: (kind: string) => void) => boolean;

function quickWriter(type: LogicalType, writing: Writing): QuickWrite | null {
  if (typeof type !== 'string') return 'list' in type ? listWriter(type.list, writing) : structWriter(type.struct, writing);
  if (!writing.asText(type)) return SCALARS[type] ?? null;
  return (sink, name, cell) => (putText(sink, name, cell as string, writing.place), true);
}

const SCALARS: Partial<Record<Extract<LogicalType, string>, QuickWrite>> = {
  bool: (sink, name, cell) => (putBool(sink, name, cell as boolean), true),
  int32: (sink, name, cell) => (putInt32(sink, name, cell as number), true),
  int64: (sink, name, cell) => (putBigInt64(sink, name, cell as bigint), true),
  float64: (sink, name, cell) => (putDouble(sink, name, cell as number), true),
  decimal: (sink, name, cell) => putDecimalText(sink, name, cell as string),
  bytes: (sink, name, cell) => (putBinary(sink, name, { subtype: 0, content: cell as Uint8Array }), true),
  uuid: (sink, name, cell) => putUuid(sink, name, cell as string),
  objectId: (sink, name, cell) => putObjectId(sink, name, cell as string),
  timestamptz: (sink, name, cell) => {
    const micros = Number(cell as bigint);
    if (!Number.isSafeInteger(micros) || micros % 1000 !== 0) return false;
    putDate(sink, name, micros / 1000);
    return true;
  },
};

function listWriter(item: LogicalType, writing: Writing): QuickWrite {
  const write = cellWriter(item, writing);
  return (sink, name, cell, note) => {
    const from = beginDocument(sink, name, BSON.array);
    const items = cell as readonly Cell[];
    for (let index = 0; index < items.length; index++) write(sink, indexName(index), items[index], note);
    endDocument(sink, from);
    return true;
  };
}

function structWriter(fields: readonly Field[], writing: Writing): QuickWrite | null {
  // A name that stands twice is refused with its message.
  if (new Set(fields.map(({ name }) => name)).size < fields.length) return null;
  const names = fields.map(({ name }) => elementName(name));
  const writers = fields.map((field) => cellWriter(field.type, writing.within(field)));
  return (sink, name, cell, note) => {
    const from = beginDocument(sink, name);
    const cells = cell as readonly Cell[];
    for (let index = 0; index < fields.length; index++) (writers[index] as WriteCell)(sink, names[index] as Uint8Array, cells[index], note);
    endDocument(sink, from);
    return true;
  };
}

const TEXTS: Partial<Record<Extract<LogicalType, string>, WriteText>> = {
  int32: putInt32Text,
  int64: putInt64Text,
  timestamptz: putInstantText,
};

/** For cells that are text still. `null`: they are decoded, whatever they are. */
export function textWriter(type: LogicalType): WriteText | null {
  return typeof type === 'string' ? (TEXTS[type] ?? null) : null;
}

/** A value that the driver makes bytes of. */
export function putValue(sink: Sink, name: Uint8Array, value: BsonValue): void {
  if (value === null) return putNull(sink, name);
  const document = serialize(new Map([['', value]]) as never);
  const type = document[4];
  if (type === undefined) throw new TrueupError('E_BUG', 'The driver made no bytes of a value.');
  putBytes(sink, name, { type, content: document.subarray(6, -1) });
}

/** A whole document that the driver makes bytes of. */
export function putRoot(sink: Sink, document: BsonValue): void {
  appendBytes(sink, serialize(document as never));
}
