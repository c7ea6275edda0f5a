import { OP, cellFromText, isTrueupError, jsonToCell } from '../../src/sdk.ts';
import type { Cell, LogicalType, Reject, Row } from '../../src/sdk.ts';
import { cellColumn } from './csv-record.ts';
import type { Frame } from './frames.ts';
import type { View } from './knowledge.ts';
import type { FileOptions } from './options.ts';
import { RecordProblem, learnRecord, parseRecord, parseText } from './parsed-record.ts';
import type { ParsedRecord } from './parsed-record.ts';

/** What came of a record: what it is, or what is wrong with it. */
type Outcome<T> =
  | T
  | { readonly reject: Reject }
  /** It has a field or a type that the view does not know; what is known has grown. */
  | 'news';

/** A record as it came out of a file. */
export type Decoded = Outcome<{ readonly op: number; readonly row: Row; readonly bytes: number }>;

/** A record that can be read, before anybody has. */
export type Checked = Outcome<{ readonly op: number; readonly key: readonly Cell[] }>;

export interface Decoder {
  decode(frame: Frame): Decoded;
  /** Finds what `decode` finds, and makes no cells that need not be looked at for it. */
  check(frame: Frame): Checked;
  /** The row of a record that passed the check. */
  rowOf(text: string): Row;
}

export interface Decoding {
  readonly view: View;
  readonly file: string;
  readonly options: FileOptions;
  /** The columns of a CSV file; `null`: JSON lines. */
  readonly columns: readonly string[] | null;
}

/** Where a field's values come from. */
interface Place {
  readonly name: string;
  readonly type: LogicalType;
  /** The cell of CSV; -1: the file does not have it. */
  readonly column: number;
  readonly isKey: boolean;
  /** Whether its type comes from the values themselves, and every one of them was looked at: then all of them are of the type. */
  readonly proved: boolean;
}

/** Reads the records of one file as a view wants them. */
export function openDecoder(decoding: Decoding): Decoder {
  const { view, file, options, columns } = decoding;
  const { knowledge, shape, ref } = view;
  const opName = knowledge.stream.op;
  const names = new Set(shape.fields.map(({ name }) => name));
  const wanted = (name: string): boolean => name !== opName && (view.open ? !ref.except.includes(name) : names.has(name));
  const places = shape.fields.map(({ name, type }, index): Place => ({
    name,
    type,
    column: columns?.indexOf(name) ?? -1,
    isKey: shape.key.includes(index),
    proved: columns !== null && wanted(name) && knowledge.fields.get(name) !== null,
  }));
  const keys = shape.key.map((index) => places[index] as Place);
  const unproved = places.filter(({ isKey, proved }) => !isKey && !proved);
  const op: Place | null =
    opName === null ? null : { name: opName, type: 'text', column: columns?.indexOf(opName) ?? -1, isKey: false, proved: true };
  /** What others learn of the fields meanwhile is news as well. */
  const { version } = knowledge;
  const learning = columns?.map((name) => (wanted(name) ? name : null)) ?? null;

  const read = <T>(frame: Frame, take: (record: ParsedRecord) => T): Outcome<T> => {
    let record: ParsedRecord | null = null;
    try {
      if (!frame.tooLong) record = parseRecord(frame, columns, options);
      if (record === null || frame.bytes.length > ref.maxRecordBytes) throw tooLarge(frame, ref.maxRecordBytes);
      learnRecord(knowledge, record, learning, wanted);
      if (knowledge.version !== version) return 'news';
      return take(record);
    } catch (error) {
      if (!(error instanceof RecordProblem)) throw error;
      return { reject: rejectOf(error, { frame, file, record, keys, options }) };
    }
  };

  const opCode = (record: ParsedRecord): number => (op === null ? OP.upsert : opOf(valueAt(record, op, options), op.name));
  const row = (record: ParsedRecord, code: number): Row =>
    places.map((place): Cell => {
      if (code === OP.delete && !place.isKey) return undefined;
      return place.isKey ? keyAt(record, place, options) : valueAt(record, place, options);
    });

  return {
    decode: (frame) =>
      read(frame, (record) => {
        const code = opCode(record);
        return { op: code, row: row(record, code), bytes: frame.bytes.length };
      }),
    check: (frame) =>
      read(frame, (record) => {
        const code = opCode(record);
        const key = keys.map((place) => keyAt(record, place, options));
        if (code !== OP.delete) for (const place of unproved) valueAt(record, place, options);
        return { op: code, key };
      }),
    rowOf(text) {
      const record = parseText(text, columns, options);
      return row(record, opCode(record));
    },
  };
}

function tooLarge({ start, end }: Frame, maxRecordBytes: number): RecordProblem {
  return new RecordProblem(
    `The record weighs ${end - start} bytes, more than maxRecordBytes (${maxRecordBytes}).`,
    1,
    'E_RECORD_TOO_LARGE',
  );
}

function keyAt(record: ParsedRecord, place: Place, options: FileOptions): Cell {
  const cell = valueAt(record, place, options);
  if (cell === null) throw new RecordProblem(`Field '${place.name}' of the key has no value.`);
  return cell;
}

const UPSERTS = new Set(['', 'upsert', 'insert', 'update', 'c', 'u', 'r', 'i']);
const DELETES = new Set(['delete', 'd']);

function opOf(word: Cell, field: string): number {
  const text = typeof word === 'string' ? word.toLowerCase() : word === null ? '' : '?';
  if (UPSERTS.has(text)) return OP.upsert;
  if (DELETES.has(text)) return OP.delete;
  throw new RecordProblem(`Field '${field}' says neither upsert (insert, update) nor delete.`);
}

/** NULL where the record says nothing of the field. */
function valueAt(record: ParsedRecord, { name, type, column }: Place, options: FileOptions): Cell {
  if ('map' in record) {
    const json = record.map.get(name);
    if (json === undefined || json === null) return null;
    if (type === 'text' && typeof json === 'string') return json;
    return decoded(
      name,
      () => jsonToCell(type, json, `field '${name}'`),
      () => 1,
    );
  }
  const text = record.cells[column] ?? null;
  if (text === null || type === 'text' || type === 'unknown') return text;
  try {
    return cellFromText(type, text);
  } catch {
    // Once more, for the message: most values are what they should be.
    return decoded(
      name,
      () => cellFromText(type, text, `field '${name}'`),
      () => cellColumn(record.text, column, options),
    );
  }
}

function decoded(name: string, decode: () => Cell, column: () => number): Cell {
  try {
    return decode();
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'record') throw error;
    const message = error.message.startsWith(`field '${name}'`) ? error.message : `field '${name}': ${error.message}`;
    throw new RecordProblem(`${message}.`, column());
  }
}

interface Rejecting {
  readonly frame: Frame;
  readonly file: string;
  readonly record: ParsedRecord | null;
  readonly keys: readonly Place[];
  readonly options: FileOptions;
}

function rejectOf({ code, column, message }: RecordProblem, { frame, file, record, keys, options }: Rejecting): Reject {
  const key = record === null ? null : readableKey(record, keys, options);
  const position = `${file}:${frame.line}:${column}`;
  return { ...(key === null ? {} : { key }), position, code, message: `${position}: ${message}` };
}

function readableKey(record: ParsedRecord, keys: readonly Place[], options: FileOptions): Cell[] | null {
  try {
    const cells = keys.map((place) => valueAt(record, place, options));
    return cells.includes(null) ? null : cells;
  } catch (error) {
    if (!(error instanceof RecordProblem)) throw error;
    return null;
  }
}
