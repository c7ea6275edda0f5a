/** A place in the config: keys and list indices from the top. */
export type Path = readonly (string | number)[];

/** One text for one path, as a key of maps. */
export function pathKey(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

/** `jobs.shop.streams[0].from`, for messages. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`)).join('');
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path, or `undefined`. Reads own members only. */
export function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'keys and values',
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  bigint: 'a number',
};

/** What kind of thing was written, in words of YAML: never the value itself. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (value === '') return 'an empty text';
  const kind = typeof value;
  return KINDS[kind] ?? `a ${kind}`;
}

/** Walks every scalar and container of plain data, parents first. */
export function* walk(value: unknown, path: Path = []): Generator<{ readonly value: unknown; readonly path: Path }> {
  yield { value, path };
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* walk(item, [...path, index]);
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) yield* walk(item, [...path, key]);
  }
}
