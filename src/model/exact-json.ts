/** A number as its JSON source text, so that no digit is lost. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** JSON as data: objects are Maps, so that `__proto__` is a name like any other. Of a name that stands twice the last one counts. */
export type ExactJson = null | boolean | string | JsonNumber | readonly ExactJson[] | ReadonlyMap<string, ExactJson>;

type Reviver = (key: string, value: unknown, context: { readonly source: string }) => unknown;
const parseWith = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** @throws {SyntaxError} when the text is no JSON; {RangeError} when it is nested too deeply. */
export function parseExactJson(text: string): ExactJson {
  return parseWith(text, (_key, value, context) => {
    if (typeof value === 'number') return new JsonNumber(context.source);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return value instanceof JsonNumber || value instanceof Map ? value : new Map(Object.entries(value));
  }) as ExactJson;
}

/** Compact JSON; numbers to the letter. */
export function exactJsonText(json: ExactJson): string {
  if (json instanceof JsonNumber) return json.text;
  if (json instanceof Map)
    return `{${[...(json as ReadonlyMap<string, ExactJson>)].map(([name, value]) => `${JSON.stringify(name)}:${exactJsonText(value)}`).join(',')}}`;
  if (Array.isArray(json)) return `[${(json as readonly ExactJson[]).map(exactJsonText).join(',')}]`;
  return JSON.stringify(json);
}
