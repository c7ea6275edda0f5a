import { expressionFault } from './fault.ts';
import { define } from './overload.ts';
import type { FunctionOverload } from './overload.ts';
import { isList } from './value.ts';
import type { CelType, Value } from './value.ts';

const S = 'string';
const listOfText: CelType = { list: S };

/* Positions count Unicode code points, as CEL has it, not UTF-16 units. */

function points(text: string): readonly string[] | null {
  return /[\ud800-\udfff]/.test(text) ? [...text] : null;
}

function length(text: string): number {
  return points(text)?.length ?? text.length;
}

/** A position between 0 and the length of the text. */
function position(text: string, at: bigint): number {
  if (at < 0n || at > BigInt(length(text))) throw expressionFault('a position is outside of the text');
  return Number(at);
}

function substring(text: string, from: bigint, to: bigint | undefined): string {
  const start = position(text, from);
  const end = to === undefined ? length(text) : position(text, to);
  if (end < start) throw expressionFault('a position is outside of the text');
  const all = points(text);
  return all === null ? text.slice(start, end) : all.slice(start, end).join('');
}

function indexOf(text: string, searched: string): bigint {
  const at = text.indexOf(searched);
  return BigInt(at < 0 ? at : length(text.slice(0, at)));
}

function lastIndexOf(text: string, searched: string): bigint {
  const at = text.lastIndexOf(searched);
  return BigInt(at < 0 ? at : length(text.slice(0, at)));
}

const ascii = (text: string, from: RegExp, change: (letters: string) => string) => text.replace(from, change);

function joined(list: Value, separator: string): string {
  if (!isList(list) || !list.every((item) => typeof item === 'string')) throw expressionFault('join needs a list of texts');
  return list.join(separator);
}

function split(text: string, separator: string): readonly string[] {
  return separator === '' ? (points(text) ?? [...text]) : text.split(separator);
}

export const textFunctions: readonly FunctionOverload[] = [
  define('both', 'size', [S], 'int', (text: string) => BigInt(length(text))),
  define('method', 'startsWith', [S, S], 'bool', (text: string, part: string) => text.startsWith(part)),
  define('method', 'endsWith', [S, S], 'bool', (text: string, part: string) => text.endsWith(part)),
  define('method', 'contains', [S, S], 'bool', (text: string, part: string) => text.includes(part)),
  define('method', 'indexOf', [S, S], 'int', indexOf),
  define('method', 'lastIndexOf', [S, S], 'int', lastIndexOf),
  define('method', 'substring', [S, 'int'], S, (text: string, from: bigint) => substring(text, from, undefined)),
  define('method', 'substring', [S, 'int', 'int'], S, (text: string, from: bigint, to: bigint) => substring(text, from, to)),
  define('method', 'charAt', [S, 'int'], S, (text: string, at: bigint) =>
    position(text, at) === length(text) ? '' : substring(text, at, at + 1n),
  ),
  define('method', 'lowerAscii', [S], S, (text: string) => ascii(text, /[A-Z]+/g, (letters) => letters.toLowerCase())),
  define('method', 'upperAscii', [S], S, (text: string) => ascii(text, /[a-z]+/g, (letters) => letters.toUpperCase())),
  define('method', 'lower', [S], S, (text: string) => text.toLowerCase()),
  define('method', 'upper', [S], S, (text: string) => text.toUpperCase()),
  define('method', 'trim', [S], S, (text: string) => text.trim()),
  define('method', 'replace', [S, S, S], S, (text: string, searched: string, by: string) => text.replaceAll(searched, () => by)),
  define('method', 'split', [S, S], listOfText, split),
  define('method', 'join', [{ list: 'dyn' }], S, (list: Value) => joined(list, '')),
  define('method', 'join', [{ list: 'dyn' }, S], S, joined),
];
