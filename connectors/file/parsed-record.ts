import { isUtf8 } from 'node:buffer';
import { JsonNumber, TrueupError, parseExactJson } from '../../src/sdk.ts';
import type { ErrorCode, ExactJson } from '../../src/sdk.ts';
import { csvCells } from './csv-record.ts';
import type { Frame } from './frames.ts';
import { kindOfJson, kindOfText } from './infer.ts';
import { learn } from './knowledge.ts';
import type { Knowledge } from './knowledge.ts';
import type { FileOptions } from './options.ts';

/** A record taken apart, its values still in the notation of the file. */
export type ParsedRecord =
  | { readonly cells: readonly (string | null)[]; readonly text: string }
  | { readonly map: ReadonlyMap<string, ExactJson> };

/** What is wrong with a record, and at which of its characters, from 1. */
export class RecordProblem extends Error {
  readonly code: ErrorCode;
  readonly column: number;
  constructor(message: string, column = 1, code: ErrorCode = 'E_RECORD_UNREADABLE') {
    super(message);
    this.code = code;
    this.column = column;
  }
}

/**
 * @param columns of a CSV file; `null`: JSON lines
 * @throws {RecordProblem}
 */
export function parseRecord({ bytes }: Frame, columns: readonly string[] | null, options: FileOptions): ParsedRecord {
  const text = bytes.toString('utf8');
  // What is no UTF-8 became this character.
  if (text.includes('\ufffd') && !isUtf8(bytes)) throw new RecordProblem('The record is no UTF-8.');
  return parseText(text, columns, options);
}

/** @throws {RecordProblem} */
export function parseText(text: string, columns: readonly string[] | null, options: FileOptions): ParsedRecord {
  if (columns === null) return { map: jsonObject(text) };
  const parsed = csvCells(text, options.delimiter, options.quote);
  if ('problem' in parsed) throw new RecordProblem(`In the record ${parsed.problem}.`, parsed.column);
  if (parsed.cells.length !== columns.length)
    throw new RecordProblem(`The record has ${parsed.cells.length} cells, the file has ${columns.length} columns.`);
  return { cells: parsed.cells, text };
}

function jsonObject(text: string): ReadonlyMap<string, ExactJson> {
  let json: ExactJson;
  try {
    json = parseExactJson(text);
  } catch (error) {
    const at = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
    throw new RecordProblem('The line is no JSON.', at === undefined ? text.length + 1 : Number(at) + 1);
  }
  if (json instanceof Map) return json as ReadonlyMap<string, ExactJson>;
  const got = json instanceof JsonNumber ? 'a number' : Array.isArray(json) ? 'an array' : json === null ? 'null' : `a ${typeof json}`;
  throw new RecordProblem(`The line is JSON, but ${got} and no object.`);
}

/**
 * Adds what a record tells of fields and types.
 *
 * @param columns of a CSV file; `null` for one that nothing is to be learnt of
 * @param wanted which fields of JSON are to be learnt of
 */
export function learnRecord(
  knowledge: Knowledge,
  record: ParsedRecord,
  columns: readonly (string | null)[] | null,
  wanted: (name: string) => boolean,
): void {
  if ('map' in record) {
    for (const [name, value] of record.map) if (wanted(name)) learn(knowledge, name, kindOfJson(value));
    return;
  }
  if (columns === null) return;
  for (let index = 0; index < columns.length; index++) {
    const name = columns[index] as string | null;
    const value = record.cells[index] ?? null;
    if (name === null) continue;
    const kinds = knowledge.fields.get(name);
    // A text column holds whatever comes, and most values are like those before.
    if (kinds === null || kinds?.has('text') === true || (kinds !== undefined && value === null)) continue;
    const kind = value === null ? null : kindOfText(value);
    if (kind === null || kinds?.has(kind) !== true) learn(knowledge, name, kind);
  }
}

/** The columns that a first line names. @throws {TrueupError} `E_CONFIG_INVALID` for a line that names none */
export function columnsOf({ bytes, line }: Frame, file: string, options: FileOptions): string[] {
  const parsed = csvCells(bytes.toString('utf8'), options.delimiter, options.quote);
  const wrong = (why: string): TrueupError =>
    new TrueupError('E_CONFIG_INVALID', `${file}:${line}: the header ${why}.`, {
      hint: 'Name the columns with `header: [...]` if the file has no such line.',
    });
  if (!isUtf8(bytes)) throw wrong('is no UTF-8');
  if ('problem' in parsed) throw wrong(`cannot be read at column ${parsed.column}: ${parsed.problem}`);
  const names = parsed.cells.map((cell) => cell ?? '');
  if (names.includes('')) throw wrong(`has no name for column ${names.indexOf('') + 1}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrong(`has the name '${twice}' twice`);
  return names;
}
