/** JSON to the letter: objects as lists of pairs, since JavaScript objects would reorder names like '1' and lose one that stands twice; numbers as their text. */
export type ParsedJson = null | boolean | string | JsonNumeral | readonly ParsedJson[] | JsonPairs;
export interface JsonNumeral {
  readonly number: string;
}
export interface JsonPairs {
  readonly pairs: readonly (readonly [string, ParsedJson])[];
}

const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\]+|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/sy;
const NUMBER = /^-?\d/;
/** The server refuses documents that are nested more deeply. */
const MAX_DEPTH = 100;

/** @throws {Error} for text that is no JSON, or nested more deeply than a document may be */
export function parseJson(source: string): ParsedJson {
  let at = 0;
  let depth = 0;
  const next = (): string => {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    if (match === null) throw new Error('no JSON');
    at = TOKEN.lastIndex;
    return match[0].trimStart();
  };
  const peek = (token: string): boolean => {
    const before = at;
    if (next() === token) return true;
    at = before;
    return false;
  };
  const expect = (token: string): void => {
    if (next() !== token) throw new Error('no JSON');
  };
  const list = <Item>(end: string, item: () => Item): Item[] => {
    const items: Item[] = [];
    if (peek(end)) return items;
    if (++depth > MAX_DEPTH) throw new Error('nested too deeply');
    for (;;) {
      items.push(item());
      if (peek(end)) break;
      expect(',');
    }
    depth -= 1;
    return items;
  };
  const value = (): ParsedJson => {
    const token = next();
    if (token === '[') return list(']', value);
    if (token === '{')
      return {
        pairs: list('}', () => {
          const name = nameOf(next());
          expect(':');
          return [name, value()] as const;
        }),
      };
    return NUMBER.test(token) ? { number: token } : (JSON.parse(token) as ParsedJson);
  };
  const parsed = value();
  if (source.slice(at).trim() !== '') throw new Error('no JSON');
  return parsed;
}

function nameOf(token: string): string {
  const name = JSON.parse(token) as unknown;
  if (typeof name !== 'string') throw new Error('no JSON');
  return name;
}
