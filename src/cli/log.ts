import { pino, stdTimeFunctions } from 'pino';
import type { Log } from '../model/connector.ts';
import type { LogLevel } from './flags.ts';
import type { Style } from './text/style.ts';
import { singleLine } from './text/width.ts';

export interface LogOptions {
  readonly level: LogLevel;
  /** Takes one line without its line break, already redacted or about to be. */
  readonly write: (line: string) => void;
}

type Fields = Readonly<Record<string, unknown>>;

/** One JSON object a line, in pino's form, with ISO times and level names. Most runs have nothing to say: pino is made for the first line that is written. */
export function jsonLog(options: LogOptions): Log {
  let made: Log | null = null;
  const at =
    (level: Exclude<LogLevel, 'silent'>) =>
    (fields: Fields, message: string): void => {
      if (SEVERITY[level] >= SEVERITY[options.level]) (made ??= pinoLog(options))[level](fields, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function pinoLog({ level, write }: LogOptions): Log {
  const stack = level === 'debug';
  return pino(
    {
      level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error, stack), error: (error: unknown) => describeError(error, stack) },
    },
    { write: (line) => write(line.trimEnd()) },
  );
}

/** The stack is for debugging only: it would frighten people and tells them nothing. */
function describeError(error: unknown, stack: boolean): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? { code: error.code } : {};
  return { ...code, message: error.message, ...(stack ? { stack: error.stack } : {}) };
}

const SEVERITY = { debug: 10, info: 20, warn: 30, error: 40, silent: 100 } as const satisfies Record<LogLevel, number>;

/** Short lines for a terminal: `12:03:04 message  key=value`, warnings and errors marked. */
export function prettyLog({ level, write, style }: LogOptions & { readonly style: Style }): Log {
  const at =
    (severity: Exclude<LogLevel, 'silent'>, mark: string) =>
    (fields: Fields, message: string): void => {
      if (SEVERITY[severity] < SEVERITY[level]) return;
      const time = style.dim(new Date().toISOString().slice(11, 19));
      const facts = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}=${factText(value, level === 'debug')}`);
      write(
        [time, mark === '' ? singleLine(message) : `${mark} ${singleLine(message)}`, style.dim(singleLine(facts.join(' ')))]
          .join(' ')
          .trimEnd(),
      );
    };
  return {
    debug: at('debug', style.dim('debug')),
    info: at('info', ''),
    warn: at('warn', style.yellow('warning')),
    error: at('error', style.red('error')),
  };
}

function factText(value: unknown, stack: boolean): string {
  if (value instanceof Error) return JSON.stringify((stack ? value.stack : undefined) ?? value.message);
  if (typeof value === 'string') return /[\s"=]/.test(value) || value === '' ? JSON.stringify(value) : value;
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? String(member) : member)) ?? String(value);
}
