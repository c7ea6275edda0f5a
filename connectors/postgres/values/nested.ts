import { TrueupError } from '../../../src/sdk.ts';

/* The text of arrays and composites, as array_out and record_out write it. */

/**
 * The elements of a one-dimensional array; NULL is null. What a list cannot carry is refused: `[2:3]={…}` (bounds) and arrays of arrays.
 * @param delimiter between elements: `,`, for box `;`
 */
export function parseArray(text: string, delimiter = ','): (string | null)[] {
  if (text.startsWith('[')) throw new TrueupError('E_RECORD_LOSS', 'An array with lower bounds of its own cannot be carried as a list.');
  const end = text.length - 1;
  if (text[0] !== '{' || text[end] !== '}') throw new TrueupError('E_RECORD_UNREADABLE', 'The server sent a text that is not an array.');
  if (end === 1) return [];
  const elements: (string | null)[] = [];
  let at = 1;
  while (at <= end) {
    if (text[at] === '{') throw new TrueupError('E_RECORD_LOSS', 'An array of more than one dimension cannot be carried as a list.');
    if (text[at] === '"') {
      const quoted = readQuoted(text, at);
      elements.push(quoted.value);
      at = quoted.after;
    } else {
      const after = indexOfOr(text, delimiter, at, end);
      const bare = text.slice(at, after);
      elements.push(bare === 'NULL' ? null : bare.replaceAll(/\\(.)/gs, '$1'));
      at = after;
    }
    at++; // the delimiter, or the closing brace
  }
  return elements;
}

/** The attributes of a composite; NULL is null, the empty text is "". */
export function parseComposite(text: string): (string | null)[] {
  const end = text.length - 1;
  if (text[0] !== '(' || text[end] !== ')')
    throw new TrueupError('E_RECORD_UNREADABLE', 'The server sent a text that is not a composite value.');
  const cells: (string | null)[] = [];
  let at = 1;
  while (at <= end) {
    if (text[at] === '"') {
      const quoted = readQuoted(text, at);
      cells.push(quoted.value);
      at = quoted.after;
    } else {
      const after = indexOfOr(text, ',', at, end);
      cells.push(after === at ? null : text.slice(at, after));
      at = after;
    }
    at++;
  }
  return cells;
}

function indexOfOr(text: string, part: string, from: number, end: number): number {
  const found = text.indexOf(part, from);
  return found === -1 || found > end ? end : found;
}

/** Arrays escape a quote by a backslash, composites double it; both may double a backslash. */
function readQuoted(text: string, from: number): { readonly value: string; readonly after: number } {
  let value = '';
  let start = from + 1;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') {
      value += text.slice(start, at);
      start = ++at;
    } else if (char === '"') {
      if (text[at + 1] !== '"') return { value: value + text.slice(start, at), after: at + 1 };
      value += text.slice(start, at);
      start = ++at;
    }
  }
  throw new TrueupError('E_RECORD_UNREADABLE', 'The server sent a quoted text without its end.');
}
