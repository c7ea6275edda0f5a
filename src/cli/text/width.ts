import { stripVTControlCharacters } from 'node:util';

let segmenter: Intl.Segmenter | null = null;
const ASCII = /^[\x20-\x7e]*$/;
const INVISIBLE = /^[\p{M}\p{Cf}\p{Zl}\p{Zp}\p{Cc}]/u;
const EMOJI = /^(?:\p{Emoji_Presentation}|\p{RI}\p{RI}|\p{Extended_Pictographic}\ufe0f)/u;
/** East Asian Wide and Fullwidth blocks (Unicode 16, UAX #11), joined where only unassigned code points lie between. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2fb}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u;

/** Made when the first text needs it: loading its data takes longer than all else that a short command does. */
function graphemesOf(text: string): Iterable<Intl.SegmentData> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
}

/** How many terminal columns a text takes. Expects no escape sequences and no line breaks. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemesOf(text)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (INVISIBLE.test(grapheme)) return 0;
  return EMOJI.test(grapheme) || WIDE.test(grapheme) ? 2 : 1;
}

/** Cuts at a grapheme so that the text takes at most `width` columns; what was cut is marked by `…`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let taken = '';
  let used = 0;
  for (const { segment } of graphemesOf(text)) {
    const next = graphemeWidth(segment);
    if (used + next > width - 1) break;
    taken += segment;
    used += next;
  }
  return width < 1 ? '' : `${taken}…`;
}

export function padTo(text: string, width: number, align: 'left' | 'right'): string {
  const gap = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'left' ? text + gap : gap + text;
}

const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Makes text from outside (names, messages of servers) safe for a terminal: control characters and direction overrides become `\x1b`-like
 * escapes, so that a table name cannot move the cursor or recolour what follows. Line breaks stay.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same on one line. */
export function singleLine(text: string): string {
  return printable(text.replace(/\s*\r?\n\s*/g, ' '));
}

/**
 * Breaks lines that are wider than a terminal at spaces. What follows is indented as far as the first column of text behind a label
 * (`guarantee  …`), else two deeper than the line. Colours may run across a break. Tables, JSON and words without spaces stay as they are.
 */
export function wrapLines(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, width))
    .join('\n');
}

function wrapLine(line: string, width: number): string[] {
  const bare = stripVTControlCharacters(line);
  if (displayWidth(bare) <= width || bare.trimStart().startsWith('{')) return [line];
  const label = /^ *\S+ {2,}/.exec(bare)?.[0] ?? `${/^ */.exec(bare)?.[0] ?? ''}  `;
  const indent = ' '.repeat(Math.min(displayWidth(label), Math.floor(width / 2)));
  const lines: string[] = [];
  let current = '';
  for (const piece of line.split(/(?<=\S)(?= )/)) {
    const isFull = displayWidth(stripVTControlCharacters(current + piece)) > width;
    if (isFull && current.trim() !== '') {
      lines.push(current);
      current = indent + piece.trimStart();
    } else current += piece;
  }
  return [...lines, current];
}
