/** A name as SQL takes it. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteAll(names: readonly string[]): string {
  return names.map(quote).join(', ');
}

/** `"a" is ? and "b" is ?`: finds a key, NULL included, and uses its index. */
export function equalTo(names: readonly string[]): string {
  return names.map((name) => `${quote(name)} is ?`).join(' and ');
}
