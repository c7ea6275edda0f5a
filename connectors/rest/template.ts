import { TrueupError } from '../../src/sdk.ts';
import type { ExactJson } from '../../src/sdk.ts';

/** What a name in `{…}` stands for; `null`: it has no value. */
export type Fill = (name: string) => string | null;

const NAME = /\{([^{}\s/]+)\}/g;
/** In a path braces have no other meaning, so any name may stand there. */
const NAME_IN_PATH = /\{([^{}]+)\}/g;

export function namesIn(text: string): string[] {
  return [...text.matchAll(NAME)].map((match) => match[1] as string);
}

export function namesInPath(path: string): string[] {
  return [...path.matchAll(NAME_IN_PATH)].map((match) => match[1] as string);
}

/**
 * A path with its names filled in, each encoded as one segment.
 *
 * @throws {TrueupError} `E_RECORD_VALUE` for a name without a value, or one that would leave its segment
 */
export function fillPath(path: string, fill: Fill): string {
  return path.replace(NAME_IN_PATH, (_all, name: string) => {
    const value = fill(name);
    if (value === null || value === '') throw new TrueupError('E_RECORD_VALUE', `path '${path}': field '${name}' has no value`);
    // Encoding leaves dots as they are, and an address with `..` in it is another one.
    if (/^\.{1,2}$/.test(value))
      throw new TrueupError('E_RECORD_VALUE', `path '${path}': field '${name}' is a dot or two, which no path can carry`);
    return encodeURIComponent(value);
  });
}

export function fillText(text: string, fill: Fill): string {
  return text.replace(NAME, (_all, name: string) => fill(name) ?? '');
}

/** A string that is one name and nothing else is filled in; others, such as the text of a GraphQL query, stay as they are. */
export function fillBody(json: ExactJson, fill: Fill): ExactJson {
  if (typeof json === 'string') {
    const name = /^\{([^{}/\s]+)\}$/.exec(json)?.[1];
    return name === undefined ? json : fill(name);
  }
  if (Array.isArray(json)) return (json as readonly ExactJson[]).map((item) => fillBody(item, fill));
  if (json instanceof Map)
    return new Map([...(json as ReadonlyMap<string, ExactJson>)].map(([name, value]) => [name, fillBody(value, fill)]));
  return json;
}
