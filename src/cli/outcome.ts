import type { Style } from './text/style.ts';

/** How people's text is to be laid out. */
export interface View {
  readonly style: Style;
  /** Columns of the terminal; `null`: not a terminal, as wide as it takes. */
  readonly width: number | null;
}

/** What a command came to. Printed once, either as the one JSON document or as text. */
export interface Outcome {
  readonly exitCode: number;
  /** Under `--json`. Carries `command` and `exitCode`; what is unknown is an absent key. */
  readonly document: Readonly<Record<string, unknown>>;
  /** For people; no line break at the end. Empty: nothing is printed. */
  text(view: View): string;
  /** Records went to standard output, so this goes to standard error. */
  readonly toStderr?: boolean;
}
