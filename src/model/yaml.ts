import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { Document, Node, Pair } from 'yaml';

import type { ErrorCode } from '../errors.ts';
import type { Diagnostic } from './diagnostic.ts';

/** Data as YAML text. */
export { stringify } from 'yaml';

/** A place in a text. Both count from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

export interface ParsedYaml {
  /**
   * Plain data: null, boolean, number, string, arrays and objects without a prototype's keys (`__proto__` is an own key like any other).
   * An integer beyond ±2^53 is a bigint, never a rounded number. `undefined` when the text does not parse; an empty text is `null`.
   */
  readonly data: unknown;
  /** Every problem at once. Not empty: `data` is not to be used. */
  readonly diagnostics: readonly Diagnostic[];
  /** Where the key or value at `path` stands; of a path that is not there, where its nearest parent stands. */
  at(path: readonly (string | number)[], part?: 'key' | 'value'): TextPosition;
}

/** Aliases may repeat this many nodes: far beyond any config that a person writes, far below an alias bomb. */
const MAX_ALIAS_COUNT = 100;
const MAX_TEXT_LENGTH = 4 * 1024 * 1024;
const MAX_DEPTH = 100;

/** Parses YAML 1.2 (JSON included). Never throws on what the text says: problems come as diagnostics. */
export function parseYaml(text: string, file: string, code: ErrorCode = 'E_CONFIG_INVALID'): ParsedYaml {
  const lines = new LineCounter();
  const problem = (offset: number, message: string): Diagnostic => ({
    file,
    ...positionAt(lines, offset),
    code,
    message,
    severity: 'error',
  });
  const failed = (diagnostics: Diagnostic[]): ParsedYaml => ({ data: undefined, diagnostics, at: () => ({ line: 1, column: 1 }) });
  if (text.length > MAX_TEXT_LENGTH)
    return failed([problem(0, `the file has ${text.length} characters, more than the ${MAX_TEXT_LENGTH} that are read`)]);
  if (tooDeep(text)) return failed([problem(0, `brackets are nested deeper than ${MAX_DEPTH} levels`)]);

  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    intAsBigInt: true,
    stringKeys: true,
    logLevel: 'error',
    merge: true,
  });
  const diagnostics = [...document.errors, ...document.warnings].map((error) => problem(error.pos[0], sentence(error.message)));
  const at = (path: readonly (string | number)[], part: 'key' | 'value' = 'value') => positionAt(lines, offsetOf(document, path, part));
  if (diagnostics.length > 0) return { data: undefined, diagnostics, at };
  try {
    return { data: plain(document.toJS({ maxAliasCount: MAX_ALIAS_COUNT, mapAsMap: true }), 0), diagnostics, at };
  } catch (error) {
    return { data: undefined, diagnostics: [problem(0, sentence(error instanceof Error ? error.message : String(error)))], at };
  }
}

function positionAt(lines: LineCounter, offset: number): TextPosition {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** The parser recurses per level; a wall of brackets must not end the process. */
function tooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
    else if (character === '\n' && !/^[\s[\]{},]/.test(text.slice(i + 1, i + 2))) depth = 0;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

/** Maps become objects whose every key is an own property, safe integers become numbers. */
function plain(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new Error(`values are nested deeper than ${MAX_DEPTH} levels`);
  if (typeof value === 'bigint') return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  if (!(value instanceof Map)) return value;
  const object: Record<string, unknown> = {};
  for (const [key, item] of value) {
    Object.defineProperty(object, String(key), { value: plain(item, depth + 1), enumerable: true, writable: true, configurable: true });
  }
  return object;
}

function offsetOf(document: Document.Parsed, path: readonly (string | number)[], part: 'key' | 'value'): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, name] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    if (isSeq(node)) {
      node = (node.items[Number(name)] as Node | undefined) ?? null;
      if (node === null) return offset;
    } else if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(name));
      if (pair === undefined) return offset;
      const key = pair.key as Node;
      offset = key.range?.[0] ?? offset;
      if (depth === path.length - 1 && part === 'key') return offset;
      node = (pair.value as Node | null) ?? null;
      if (node === null || (node.range !== undefined && node.range !== null && node.range[0] === node.range[1])) return offset;
    } else {
      return offset;
    }
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}

function sentence(message: string): string {
  return message.replace(/\s+/g, ' ').trim();
}
