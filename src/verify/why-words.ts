/** A word as a shell takes it: as it is where that is safe, else in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_.,:=@%+/-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command to be typed, in backquotes. */
export function commandText(...words: readonly string[]): string {
  return `\`${['trueup', ...words.map(shellWord)].join(' ')}\``;
}

/** A key as an argument, which may begin like an option. */
export function keyWords(key: string): string[] {
  return key.startsWith('-') ? ['--', key] : [key];
}

/** With a full stop, where it has none. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
