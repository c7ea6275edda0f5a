import { styleText } from 'node:util';

type Paint = (text: string) => string;

/** How people's text is coloured; every member is the identity where colour is not wanted. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

const same: Paint = (text) => text;

export const PLAIN: Style = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

const paint =
  (format: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'): Paint =>
  (text) =>
    styleText(format, text, { validateStream: false });

const COLOURED: Style = {
  bold: paint('bold'),
  dim: paint('dim'),
  red: paint('red'),
  green: paint('green'),
  yellow: paint('yellow'),
  cyan: paint('cyan'),
};

/** Colour is for terminals only, and never against NO_COLOR (any value but the empty one). */
export function styleFor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style {
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return isTerminal && !refused ? COLOURED : PLAIN;
}
