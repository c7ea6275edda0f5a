import { TrueupError } from '../../src/sdk.ts';

/** An identifier as SQL, always quoted: upper case, dots, quotes and any Unicode survive. */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) throw new TrueupError('E_BUG', 'An empty name or a name with a NUL cannot be an identifier.');
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteIdentifiers(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(', ');
}

/** A text constant for DDL, which takes no parameters (enum labels, comments). Values of records never come here. */
export function quoteText(text: string): string {
  if (text.includes('\0')) throw new TrueupError('E_BUG', 'A text with a NUL cannot be a constant.');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  // Under `standard_conforming_strings = off` a backslash would escape; E'' means the same either way.
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** A relation by schema and name, neither of them quoted. */
export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

export function quoteRelation(relation: RelationName): string {
  return `${quoteIdentifier(relation.schema)}.${quoteIdentifier(relation.name)}`;
}

/** `schema.table`, the stream name of a relation. A dot inside a name is written `\.`, a backslash `\\`. */
export function streamName(relation: RelationName): string {
  return [relation.schema, relation.name].map((part) => part.replaceAll(/[\\.]/g, '\\$&')).join('.');
}

/** The relation that a stream name means. Without a schema: `defaultSchema`. `null`: more than two parts, or an empty one. */
export function parseStreamName(name: string, defaultSchema: string): RelationName | null {
  const parts = [''];
  for (let at = 0; at < name.length; at++) {
    const char = name.charAt(at);
    if (char === '.') parts.push('');
    else parts.push(parts.pop() + (char === '\\' && at + 1 < name.length ? name.charAt(++at) : char));
  }
  if (parts.includes('') || parts.length > 2) return null;
  const table = parts.pop() as string;
  return { schema: parts[0] ?? defaultSchema, name: table };
}
