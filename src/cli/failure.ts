import type { CommanderError } from 'commander';
import { ERROR_CODES, faultOf, isTrueupError, TrueupError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { exitCodeOf } from '../pipeline/report/exit-code.ts';
import { signalExitCode } from './signal-watch.ts';
import type { StopSignal } from './signal-watch.ts';

/** A command that ended without a result of its own. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly statements?: readonly string[];
  /** Every problem of the config or a mapping, with its place. */
  readonly diagnostics?: readonly Diagnostic[];
  /** For `--log-level debug`. */
  readonly stack?: string;
  readonly exitCode: number;
}

/** What to tell of anything that was thrown. `signal`: what the process had received by then. */
export function failureOf(thrown: unknown, signal: StopSignal | null = null): Failure {
  const error = asTrueupError(thrown);
  const stack = stackOf(thrown);
  const diagnostics = diagnosticsOf(thrown);
  const hint = error.details.hint ?? ERROR_CODES[error.code].remedy;
  return {
    code: error.code,
    message: error.message,
    hint,
    ...(error.details.statements === undefined ? {} : { statements: error.details.statements }),
    ...(diagnostics.length === 0 ? {} : { diagnostics }),
    ...(stack === null ? {} : { stack }),
    exitCode: signal !== null && error.fault === 'stopped' ? signalExitCode(signal) : exitCodeOf(error),
  };
}

/** `{ code, message, hint }` as it stands under `error` in the JSON document. */
export function failureDocument(command: string, failure: Failure): Record<string, unknown> {
  const { code, message, hint, statements, diagnostics, exitCode } = failure;
  return {
    command,
    error: { code, message, ...(hint === undefined ? {} : { hint }), ...(statements === undefined ? {} : { statements }) },
    ...(diagnostics === undefined ? {} : { diagnostics: diagnostics.map(placed) }),
    exitCode,
  };
}

/** What is in no file has no place. */
function placed(diagnostic: Diagnostic): Partial<Diagnostic> {
  if (diagnostic.file !== '') return diagnostic;
  const { severity, code, message } = diagnostic;
  return { severity, code, message };
}

function asTrueupError(thrown: unknown): TrueupError {
  if (isTrueupError(thrown)) return thrown;
  if (faultOf(thrown) === 'stopped') return new TrueupError('E_STOPPED', 'stopped', { cause: thrown });
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return new TrueupError('E_BUG', `unexpected: ${what === '' ? 'an error without a message' : what}`, { cause: thrown });
}

/** `error: unknown option '--jsn'\n(Did you mean --json?)` → `unknown option '--jsn'. Did you mean --json?` */
export function usageError(error: CommanderError, command: string): TrueupError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const advice = rest.map((line) => line.replace(/^\((.*)\)$/, '$1')).filter((line) => line !== '');
  const message = error.code === 'commander.help' ? 'no command given' : [first.replace(/\.$/, ''), ...advice].join('. ');
  const about = error.code === 'commander.unknownCommand' || command === 'trueup' ? 'trueup' : `trueup ${command}`;
  return new TrueupError('E_USAGE', message, { cause: error, hint: `\`${about} --help\` shows what there is.` });
}

function stackOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || thrown.stack === undefined) return null;
  const cause = thrown.cause instanceof Error ? stackOf(thrown.cause) : null;
  return cause === null ? thrown.stack : `${thrown.stack}\ncaused by ${cause}`;
}

function diagnosticsOf(thrown: unknown): readonly Diagnostic[] {
  if (!isTrueupError(thrown)) return [];
  return thrown.details.diagnostics ?? [];
}
