import type { ExactJson } from '../../src/sdk.ts';

/** Names from the outside in; the index of an array is a name of digits. Empty: the whole document. */
export type JsonPath = readonly string[];

/** `data.items`, with `\.` for a dot inside a name, or a JSON pointer (RFC 6901): `/data/items`. */
export function parsePath(text: string): JsonPath {
  if (text === '') return [];
  if (text.startsWith('/'))
    return text
      .slice(1)
      .split('/')
      .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  return text.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'));
}

/** `undefined`: there is no such place. */
export function valueAt(json: ExactJson, path: JsonPath): ExactJson | undefined {
  let value: ExactJson | undefined = json;
  for (const name of path) {
    if (value instanceof Map) value = (value as ReadonlyMap<string, ExactJson>).get(name);
    else if (Array.isArray(value)) value = (value as readonly ExactJson[])[/^\d+$/.test(name) ? Number(name) : -1];
    else return undefined;
    if (value === undefined) return undefined;
  }
  return value;
}

/** A copy with a value at a place; objects that are missing on the way are made. What stands in the way of a name is replaced by an object. */
export function withValueAt(json: ExactJson, path: JsonPath, value: ExactJson): ExactJson {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (Array.isArray(json))
    return (json as readonly ExactJson[]).map((item, index) => (String(index) === name ? withValueAt(item, rest, value) : item));
  const map = new Map<string, ExactJson>(json instanceof Map ? (json as ReadonlyMap<string, ExactJson>) : []);
  return map.set(name, withValueAt(map.get(name) ?? null, rest, value));
}
