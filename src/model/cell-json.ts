import { TrueupError } from '../errors.ts';
import { isForeign } from './carrier.ts';
import type { Cell, Variant } from './cell.ts';
import { compareDecimals, parseDecimal, wholePart } from './decimal.ts';
import { JsonNumber, exactJsonText, parseExactJson } from './exact-json.ts';
import type { ExactJson } from './exact-json.ts';
import type { Json } from './json.ts';
import type { LogicalType } from './logical-type.ts';
import { readScalar, scalarToText } from './scalar-text.ts';
import { parseType } from './type-text.ts';

/** A cell as JSON text, every digit kept. What JSON has no notation for (NaN, bytes, instants) is a JSON string of its canonical text. */
export function cellToJsonText(type: LogicalType, cell: Cell): string {
  if (cell === null || cell === undefined) return 'null';
  if (isForeign(type, cell)) return cellToJsonText('variant', cell);
  if (typeof type !== 'string') {
    const cells = cell as readonly Cell[];
    if ('list' in type) return `[${cells.map((item) => cellToJsonText(type.list, item)).join(',')}]`;
    return `{${type.struct.map((field, index) => `${JSON.stringify(field.name)}:${cellToJsonText(field.type, cells[index])}`).join(',')}}`;
  }
  switch (type) {
    case 'variant': {
      const { variant, value } = cell as Variant;
      return `{"type":${JSON.stringify(variant)},"value":${cellToJsonText(parseType(variant) ?? 'unknown', value)}}`;
    }
    case 'json':
      return cell as string;
    case 'bool':
    case 'int32':
    case 'int64':
      return String(cell as bigint);
    case 'float64':
    case 'decimal': {
      const text = scalarToText(type, cell);
      return /^-?\d/.test(text) ? text : JSON.stringify(text);
    }
    default:
      return JSON.stringify(scalarToText(type, cell));
  }
}

/**
 * A cell as plain JSON data, for samples, payloads and diffs that people read. A number that JavaScript cannot hold exactly is its text;
 * text inside json fields is parsed.
 */
export function cellToJson(type: LogicalType, cell: Cell): Json {
  if (type === 'text' || type === 'unknown') return cell === undefined ? null : (cell as string | null);
  let json: ExactJson;
  try {
    json = parseExactJson(cellToJsonText(type, cell));
  } catch {
    return cell as string;
  }
  return plainJson(json);
}

function plainJson(json: ExactJson): Json {
  if (json instanceof JsonNumber) return isExactNumber(json.text) ? Number(json.text) : json.text;
  if (Array.isArray(json)) return (json as readonly ExactJson[]).map(plainJson);
  if (json instanceof Map)
    return Object.fromEntries([...(json as ReadonlyMap<string, ExactJson>)].map(([name, value]) => [name, plainJson(value)]));
  return json as Json;
}

/** Whether the nearest double reads back as the same text value: 0.1 does, 0.10000000000000000001 does not. */
export function isExactNumber(text: string): boolean {
  const number = Number(text);
  const exact = parseDecimal(text);
  const back = Number.isFinite(number) ? parseDecimal(String(number)) : null;
  return exact !== null && back !== null && compareDecimals(exact, back) === 0;
}

/** @throws {TrueupError} `E_RECORD_VALUE` when the text is no JSON or does not fit the type */
export function jsonTextToCell(type: LogicalType, text: string, place: string): Cell {
  return jsonToCell(type, parsedJson(text, place), place);
}

/** @throws {TrueupError} `E_RECORD_VALUE` */
export function parsedJson(text: string, place: string): ExactJson {
  try {
    return parseExactJson(text);
  } catch (error) {
    throw new TrueupError(
      'E_RECORD_VALUE',
      `${place}: expected JSON, got ${error instanceof RangeError ? 'JSON that is nested too deeply' : 'text that is none'}`,
    );
  }
}

/**
 * The carrier of a JSON value. JSON null is NULL (so inside lists and structs the JSON value null and NULL are one). Numbers are read from their digits. A string stands for the value whose canonical text it is;
 * any JSON value is a text: a string its content, everything else its JSON text.
 *
 * @throws {TrueupError} `E_RECORD_VALUE`, or `E_RECORD_LOSS` for a number that a float64 cannot hold
 */
export function jsonToCell(type: LogicalType, json: ExactJson, place: string): Cell {
  if (json === null) return null;
  if (type === 'json') return exactJsonText(json);
  if (typeof type !== 'string') return 'list' in type ? listCell(type.list, json, place) : structCell(type, json, place);
  if (type === 'text' || type === 'unknown') return typeof json === 'string' ? json : exactJsonText(json);
  if (type === 'variant') return variantCell(json, place);
  if (typeof json === 'string' && type !== 'bool') return readScalar(type, json, place);
  if (typeof json === 'boolean' && type === 'bool') return json;
  if (json instanceof JsonNumber) {
    const cell = numberCell(type, json.text, place);
    if (cell !== undefined) return cell;
  }
  throw wrongJson(type, json, place);
}

function numberCell(type: string, text: string, place: string): Cell | undefined {
  if (type === 'decimal') return readScalar('decimal', text, place);
  if (type === 'float64') {
    if (!isExactNumber(text)) throw new TrueupError('E_RECORD_LOSS', `${place}: the number has more digits than a float64 holds`);
    return Number(text);
  }
  if (type !== 'int32' && type !== 'int64') return undefined;
  const decimal = parseDecimal(text);
  if (decimal === null) return undefined;
  const { whole, cut } = wholePart(decimal);
  return cut ? undefined : readScalar(type, whole.toString(), place);
}

function listCell(type: LogicalType, json: ExactJson, place: string): Cell {
  if (!Array.isArray(json)) throw wrongJson('list', json, place);
  return (json as readonly ExactJson[]).map((item) => jsonToCell(type, item, place));
}

function structCell(type: Extract<LogicalType, { struct: unknown }>, json: ExactJson, place: string): Cell {
  if (!(json instanceof Map)) throw wrongJson('struct', json, place);
  const map = json as ReadonlyMap<string, ExactJson>;
  const unknown = [...map.keys()].find((name) => !type.struct.some((field) => field.name === name));
  if (unknown !== undefined) throw new TrueupError('E_RECORD_VALUE', `${place}: the object has a name that its struct type does not have`);
  return type.struct.map((field) => jsonToCell(field.type, map.get(field.name) ?? null, place));
}

function variantCell(json: ExactJson, place: string): Cell {
  const name = json instanceof Map ? (json as ReadonlyMap<string, ExactJson>).get('type') : undefined;
  const type = typeof name === 'string' ? parseType(name) : null;
  if (type === null) throw new TrueupError('E_RECORD_VALUE', `${place}: expected a variant {type, value} with a known type`);
  return { variant: name as string, value: jsonToCell(type, (json as ReadonlyMap<string, ExactJson>).get('value') ?? null, place) };
}

function wrongJson(type: string, json: ExactJson, place: string): TrueupError {
  const got =
    json instanceof JsonNumber ? 'a number' : Array.isArray(json) ? 'an array' : json instanceof Map ? 'an object' : `a ${typeof json}`;
  return new TrueupError('E_RECORD_VALUE', `${place}: expected ${type}, got ${got} in JSON that does not stand for one`);
}
