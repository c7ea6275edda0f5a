/** An identifier, quoted. */
export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a literal; backslashes are themselves. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function idents(names: readonly string[]): string {
  return names.map(ident).join(', ');
}
