/** The way to a field: dots part the names, a dot inside of a name is written `\.`. */
export function pathOf(name: string): string[] {
  return name.split(/(?<!\\)\./).map((part) => part.replaceAll('\\.', '.'));
}

/** Whether a name on the way holds a dot, so that no update and no query can name the field by its path. */
export function isDotted(path: readonly string[]): boolean {
  return path.some((part) => part.includes('.'));
}
