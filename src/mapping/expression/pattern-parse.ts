/*
 * The regular expressions of `matches`: the common part of RE2's syntax. No backreferences and no look-around, so that a match takes time in
 * proportion to the text, whatever the pattern.
 */

/** Inclusive ranges of code points, ascending. */
export type Ranges = readonly (readonly [number, number])[];

export type PatternNode =
  | { readonly kind: 'set'; readonly ranges: Ranges }
  | { readonly kind: 'assert'; readonly what: 'start' | 'end' | 'word' | 'noWord' }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly options: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly least: number; readonly most: number };

const MAX_CODE = 0x10ffff;
const MAX_REPEAT = 1000;
const DIGIT: Ranges = [[48, 57]];
const WORD: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: Ranges = [
  [9, 10],
  [12, 13],
  [32, 32],
];
const NOT_NEWLINE: Ranges = complement([[10, 10]]);
const ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7 };

interface Reader {
  readonly text: readonly string[];
  at: number;
  ignoreCase: boolean;
  dotAll: boolean;
  depth: number;
}

/** @throws {Error} with a sentence about what is wrong */
export function parsePattern(text: string): PatternNode {
  const reader: Reader = { text: [...text], at: 0, ignoreCase: false, dotAll: false, depth: 0 };
  const node = choice(reader);
  if (reader.at < reader.text.length) throw new Error(`there is a ')' without '('`);
  return node;
}

function choice(reader: Reader): PatternNode {
  const options = [sequence(reader)];
  while (reader.text[reader.at] === '|') {
    reader.at++;
    options.push(sequence(reader));
  }
  return options.length === 1 ? (options[0] as PatternNode) : { kind: 'choice', options };
}

function sequence(reader: Reader): PatternNode {
  const parts: PatternNode[] = [];
  while (reader.at < reader.text.length && reader.text[reader.at] !== '|' && reader.text[reader.at] !== ')') {
    const part = atom(reader);
    if (part !== null) parts.push(repeated(reader, part));
  }
  return { kind: 'sequence', parts };
}

function repeated(reader: Reader, part: PatternNode): PatternNode {
  const character = reader.text[reader.at];
  const counted = character === '{' ? /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(reader.text.slice(reader.at, reader.at + 12).join('')) : null;
  if (character !== '*' && character !== '+' && character !== '?' && counted === null) return part;
  if (part.kind === 'assert') throw new Error(`there is nothing to repeat before '${character}'`);
  reader.at += counted === null ? 1 : counted[0].length;
  if (reader.text[reader.at] === '?') reader.at++;
  if (/^[*+?]$/.test(reader.text[reader.at] ?? '')) throw new Error(`a repetition cannot be repeated ('${reader.text[reader.at]}')`);
  const least = counted === null ? (character === '+' ? 1 : 0) : Number(counted[1]);
  const most =
    counted === null
      ? character === '?'
        ? 1
        : Infinity
      : counted[2] === undefined
        ? least
        : counted[3] === ''
          ? Infinity
          : Number(counted[3]);
  if (least > MAX_REPEAT || (most !== Infinity && most > MAX_REPEAT)) throw new Error(`a repetition may count to ${MAX_REPEAT}`);
  if (most < least) throw new Error('a repetition ends before it begins');
  return { kind: 'repeat', part, least, most };
}

/** `null`: only flags. */
function atom(reader: Reader): PatternNode | null {
  const character = reader.text[reader.at++] as string;
  switch (character) {
    case '(':
      return group(reader);
    case '[':
      return set(reader, bracket(reader));
    case '.':
      return { kind: 'set', ranges: reader.dotAll ? [[0, MAX_CODE]] : NOT_NEWLINE };
    case '^':
      return { kind: 'assert', what: 'start' };
    case '$':
      return { kind: 'assert', what: 'end' };
    case '*':
    case '+':
    case '?':
      throw new Error(`there is nothing to repeat before '${character}'`);
    case '\\':
      return escape(reader);
    default:
      return set(reader, single(character));
  }
}

function group(reader: Reader): PatternNode | null {
  const { ignoreCase, dotAll } = reader;
  if (++reader.depth > 100) throw new Error('groups are nested deeper than 100 levels');
  if (reader.text[reader.at] === '?') {
    const flags = /^\?(?:P?<[A-Za-z_]\w*>|([is]*)([:)]))/.exec(reader.text.slice(reader.at, reader.at + 80).join(''));
    if (flags === null) throw new Error('only groups such as (…), (?:…), (?<name>…) and (?i) are known: no look-around');
    reader.at += flags[0].length;
    if (flags[1]?.includes('i') === true) reader.ignoreCase = true;
    if (flags[1]?.includes('s') === true) reader.dotAll = true;
    if (flags[2] === ')') return (reader.depth--, null);
  }
  const node = choice(reader);
  if (reader.text[reader.at] !== ')') throw new Error("a '(' is not closed");
  reader.at++;
  reader.depth--;
  Object.assign(reader, { ignoreCase, dotAll });
  return node;
}

function escape(reader: Reader): PatternNode {
  const character = reader.text[reader.at];
  if (character === 'b' || character === 'B') return (reader.at++, { kind: 'assert', what: character === 'b' ? 'word' : 'noWord' });
  if (character === 'A' || character === 'z') return (reader.at++, { kind: 'assert', what: character === 'A' ? 'start' : 'end' });
  return set(reader, escapedSet(reader));
}

function escapedSet(reader: Reader): Ranges {
  const character = reader.text[reader.at++];
  if (character === undefined) throw new Error("it ends with '\\'");
  const classes: Readonly<Record<string, Ranges>> = {
    d: DIGIT,
    w: WORD,
    s: SPACE,
    D: complement(DIGIT),
    W: complement(WORD),
    S: complement(SPACE),
  };
  if (Object.hasOwn(classes, character)) return classes[character] as Ranges;
  if (Object.hasOwn(ESCAPES, character)) return [[ESCAPES[character] as number, ESCAPES[character] as number]];
  if (character === 'x') return hexEscape(reader);
  if (/[A-Za-z0-9]/.test(character)) throw new Error(`'\\${character}' is not known (no backreferences)`);
  return single(character);
}

function hexEscape(reader: Reader): Ranges {
  const match = /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/.exec(reader.text.slice(reader.at, reader.at + 8).join(''));
  const code = match === null ? NaN : Number.parseInt((match[1] ?? match[2]) as string, 16);
  if (match === null || code > MAX_CODE) throw new Error("'\\x' needs two hex digits or a code in braces");
  reader.at += match[0].length;
  return [[code, code]];
}

function bracket(reader: Reader): Ranges {
  const negated = reader.text[reader.at] === '^';
  if (negated) reader.at++;
  const ranges: (readonly [number, number])[] = [];
  for (let first = true; first || reader.text[reader.at] !== ']'; first = false) {
    if (reader.at >= reader.text.length) throw new Error("a '[' is not closed");
    const from = member(reader);
    if (reader.text[reader.at] !== '-' || reader.text[reader.at + 1] === ']' || from.length !== 1 || from[0]?.[0] !== from[0]?.[1]) {
      ranges.push(...from);
      continue;
    }
    reader.at++;
    if (reader.at >= reader.text.length) throw new Error("a '[' is not closed");
    const to = member(reader);
    const low = (from[0] as readonly [number, number])[0];
    const high = to.length === 1 ? (to[0] as readonly [number, number])[1] : -1;
    if (high < low) throw new Error("a range in '[…]' ends before it begins");
    ranges.push([low, high]);
  }
  reader.at++;
  const cased = reader.ignoreCase ? foldCase(ranges) : ranges;
  return negated ? complement(cased) : normalized(cased);
}

function member(reader: Reader): Ranges {
  const character = reader.text[reader.at++] as string;
  if (character === '[' && reader.text[reader.at] === ':') throw new Error("classes such as '[:alpha:]' are not known");
  return character === '\\' ? escapedSet(reader) : single(character);
}

function single(character: string): Ranges {
  const code = character.codePointAt(0) as number;
  return [[code, code]];
}

function set(reader: Reader, ranges: Ranges): PatternNode {
  return { kind: 'set', ranges: reader.ignoreCase ? normalized(foldCase(ranges)) : ranges };
}

/** The other case of every letter; of large ranges that of the ASCII letters only. */
function foldCase(ranges: Ranges): (readonly [number, number])[] {
  const folded: (readonly [number, number])[] = [...ranges];
  for (const [low, high] of ranges) {
    for (let code = low; code <= Math.min(high, low + 2000); code++) {
      const character = String.fromCodePoint(code);
      for (const other of [character.toLowerCase(), character.toUpperCase()]) {
        if ([...other].length === 1 && other !== character) folded.push(...single(other));
      }
    }
  }
  return folded;
}

function normalized(ranges: Ranges): Ranges {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [low, high] of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

function complement(ranges: Ranges): Ranges {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [low, high] of normalized(ranges)) {
    if (low > next) gaps.push([next, low - 1]);
    next = high + 1;
  }
  if (next <= MAX_CODE) gaps.push([next, MAX_CODE]);
  return gaps;
}
