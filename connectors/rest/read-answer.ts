import { TrueupError, parseExactJson } from '../../src/sdk.ts';
import type { ExactJson } from '../../src/sdk.ts';
import type { JsonPath } from './json-path.ts';
import { valueAt } from './json-path.ts';
import { jsonFaultAt } from './json-fault.ts';
import { JsonSplitter } from './split-json.ts';
import type { Piece } from './split-json.ts';

/** How the records stand in an answer. */
export interface AnswerFormat {
  readonly format: 'json' | 'ndjson';
  readonly records: JsonPath;
  /** Not `null`: what stands there fails the answer. */
  readonly errors: JsonPath | null;
  /** Whether the whole document may be the only record. */
  readonly isRecord?: boolean;
  readonly maxPiece: number;
  /** For messages: `GET https://crm.example/items`. */
  readonly asked: string;
}

/** A record and its text; `broken`: a line that is no JSON. */
export interface AnswerRecord {
  readonly json: ExactJson;
  readonly text: string;
  readonly broken?: string;
}

/**
 * The records of an answer, some at a time as they arrive, so that the memory it needs does not grow with it. Returns the answer without them, once all were taken.
 *
 * @throws {TrueupError} `E_ANSWER` for what is no JSON, with the place, and for errors in it; `E_STREAM_UNKNOWN` where no records are in their place
 */
export async function* readAnswer(body: AsyncIterable<Uint8Array>, how: AnswerFormat): AsyncGenerator<readonly AnswerRecord[], ExactJson> {
  if (how.format === 'ndjson') return yield* readLines(body, how);
  const splitter = new JsonSplitter(how.records, { allowsSingle: how.records.length > 0 || how.isRecord === true, maxPiece: how.maxPiece });
  for await (const text of texts(body, how)) {
    const pieces = splitter.push(text);
    if (pieces.length > 0) yield pieces.map((piece) => ({ json: parsed(piece, how), text: piece.text }));
  }
  const rest = splitter.end();
  if (!rest.isWhole) throw new TrueupError('E_ANSWER', `${how.asked}: the answer ends in the middle of its records`);
  let envelope: ExactJson;
  try {
    envelope = parseExactJson(rest.text);
  } catch {
    throw noJson(how, rest.position(jsonFaultAt(rest.text)));
  }
  refuseErrors(envelope, how);
  if (!rest.found) refuseWithoutRecords(envelope, how);
  return envelope;
}

function parsed({ text, at }: Piece, how: AnswerFormat): ExactJson {
  try {
    return parseExactJson(text);
  } catch {
    throw noJson(how, at + jsonFaultAt(text));
  }
}

function noJson({ asked }: AnswerFormat, index: number): TrueupError {
  return new TrueupError('E_ANSWER', `${asked}: the answer is no JSON at character ${index + 1}`);
}

/** GraphQL and its like answer 200 and tell of the failure inside. Messages of a server may repeat what it was sent, so they are counted, and their codes given. */
function refuseErrors(envelope: ExactJson, { errors, asked }: AnswerFormat): void {
  const found = errors === null ? undefined : valueAt(envelope, errors);
  if (found === undefined || found === null || found === false || (Array.isArray(found) && found.length === 0)) return;
  const list: readonly ExactJson[] = Array.isArray(found) ? (found as readonly ExactJson[]) : [found];
  const codes = list
    .map((one) => valueAt(one, ['extensions', 'code']) ?? valueAt(one, ['type']) ?? valueAt(one, ['code']))
    .filter((code) => typeof code === 'string');
  const named = codes.length === 0 ? '' : ` (${[...new Set(codes)].slice(0, 5).join(', ')})`;
  throw new TrueupError('E_ANSWER', `${asked}: the answer tells of ${list.length} error${list.length === 1 ? '' : 's'}${named}`);
}

function refuseWithoutRecords(envelope: ExactJson, { records, asked }: AnswerFormat): void {
  const value = valueAt(envelope, records);
  if (value === null && records.length > 0) return;
  const kind = (json: ExactJson): string =>
    json instanceof Map ? 'an object' : Array.isArray(json) ? 'an array' : `a ${json === null ? 'null' : typeof json}`;
  const names = envelope instanceof Map ? ` with ${[...(envelope as ReadonlyMap<string, ExactJson>).keys()].slice(0, 10).join(', ')}` : '';
  const where = records.length === 0 ? 'The answer itself' : `'${records.join('.')}' of the answer`;
  const got =
    value === undefined ? `is not there; the answer is ${kind(envelope)}${names}` : `is ${kind(value)}${records.length === 0 ? names : ''}`;
  throw new TrueupError(
    'E_STREAM_UNKNOWN',
    `${asked}: ${where} should be an array of records, but ${got}. \`records\` of the stream says where they are.`,
  );
}

async function* readLines(body: AsyncIterable<Uint8Array>, how: AnswerFormat): AsyncGenerator<readonly AnswerRecord[], ExactJson> {
  let held = '';
  let line = 0;
  const record = (text: string): AnswerRecord[] => {
    line += 1;
    if (text.trim() === '') return [];
    try {
      return [{ json: parseExactJson(text), text }];
    } catch {
      return [{ json: null, text, broken: `line ${line} of the answer is no JSON at character ${jsonFaultAt(text) + 1}` }];
    }
  };
  for await (const text of texts(body, how)) {
    const lines = (held + text).split('\n');
    held = lines.pop() ?? '';
    if (held.length > how.maxPiece)
      throw new TrueupError('E_ANSWER', `${how.asked}: line ${line + lines.length + 1} is longer than ${how.maxPiece} characters`);
    const records = lines.flatMap(record);
    if (records.length > 0) yield records;
  }
  const last = record(held);
  // Whoever writes lines ends each of them: the last one was cut off.
  if (last.some(({ broken }) => broken !== undefined))
    throw new TrueupError('E_ANSWER', `${how.asked}: the answer ends in the middle of line ${line}`);
  if (last.length > 0) yield last;
  return null;
}

async function* texts(body: AsyncIterable<Uint8Array>, { asked }: AnswerFormat): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw new TrueupError('E_ANSWER', `${asked}: the answer is no UTF-8 before byte ${bytes + 1}`);
    }
  };
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    yield decode(chunk);
  }
  const rest = decode();
  if (rest !== '') yield rest;
}
