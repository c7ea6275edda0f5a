import { stripVTControlCharacters } from 'node:util';
import { displayWidth } from './text/width.ts';

/** The part of a TTY stream that the screen uses. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/**
 * Standard error. Lines scroll; a panel of progress lines stays below them and is redrawn in place. Without a terminal there is no panel.
 */
export interface Screen {
  readonly isTerminal: boolean;
  columns(): number;
  /** Writes whole lines above the panel. */
  line(text: string): void;
  /** Replaces the panel; no lines take it away. Every line must fit in `columns()`. */
  panel(lines: readonly string[]): void;
}

const FALLBACK_COLUMNS = 80;
const FALLBACK_ROWS = 24;

export function openScreen(stream: TerminalStream, redact: (text: string) => string): Screen {
  const isTerminal = stream.isTTY === true;
  const columns = () => Math.max(1, stream.columns ?? FALLBACK_COLUMNS);
  let drawn: readonly string[] = [];
  const erase = () => eraseText(drawn, columns());
  const write = (text: string) => void stream.write(redact(text));
  return {
    isTerminal,
    columns,
    line(text) {
      if (!isTerminal) return write(`${text}\n`);
      write(`${erase()}${text}\n${drawn.map((line) => `${line}\n`).join('')}`);
    },
    panel(lines) {
      if (!isTerminal) return;
      const fitting = cap(lines, (stream.rows ?? FALLBACK_ROWS) - 1);
      write(erase() + fitting.map((line) => `${line}\n`).join(''));
      drawn = fitting;
    },
  };
}

/** A panel higher than the terminal could not be erased again. */
function cap(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, Math.max(0, rows - 1)), `… and ${lines.length - Math.max(0, rows - 1)} more`];
}

/** Moves above what was drawn and clears from there. A terminal that has become narrower since shows each line on several rows. */
function eraseText(lines: readonly string[], columns: number): string {
  const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(stripVTControlCharacters(line)) / columns)), 0);
  return rows === 0 ? '' : `\u001b[${rows}A\r\u001b[J`;
}
