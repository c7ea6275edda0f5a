import { escapePart, nameParts } from './stream-pattern.ts';

/*
 * `to: archive.{table}`: a target name with places for parts of the source name. `{table}` is its last part, `{schema}` the one before.
 */

const PLACES = ['schema', 'table'];

export function isTemplate(to: string): boolean {
  return /\{[^}]*\}/.test(to);
}

/** What is wrong with a template, or `null`. */
export function templateProblem(to: string): string | null {
  const unknown = [...to.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] as string).find((place) => !PLACES.includes(place));
  return unknown === undefined ? null : `unknown placeholder {${unknown}}. Known: {schema}, {table}.`;
}

/** The target name for a stream, or `null` when the stream's name has no such part. */
export function fillTemplate(to: string, stream: string): string | null {
  const parts = nameParts(stream);
  const values: Readonly<Record<string, string | undefined>> = { table: parts.at(-1), schema: parts.at(-2) };
  let complete = true;
  const filled = to.replaceAll(/\{(schema|table)\}/g, (_, place: string) => {
    const value = values[place];
    complete &&= value !== undefined;
    return escapePart(value ?? '');
  });
  return complete ? filled : null;
}
