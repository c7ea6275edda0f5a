import type { Log } from '../model/connector.ts';
import { failureDocument, failureOf } from './failure.ts';
import type { Failure } from './failure.ts';
import { failureLines } from './failure-text.ts';
import type { GlobalFlags } from './flags.ts';
import { jsonLog, prettyLog } from './log.ts';
import type { Outcome, View } from './outcome.ts';
import type { Redaction } from './redaction.ts';
import { openScreen } from './screen.ts';
import type { Screen, TerminalStream } from './screen.ts';
import { watchSignals } from './signal-watch.ts';
import type { SignalSource, SignalWatch } from './signal-watch.ts';
import { openStdout } from './stdout.ts';
import type { Stdout } from './stdout.ts';
import { styleFor } from './text/style.ts';
import type { Style } from './text/style.ts';
import { wrapLines } from './text/width.ts';
import { diagnosticText } from '../model/diagnostic.ts';

/** The process, as the command line sees it. */
export interface Io {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream & TerminalStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signals: SignalSource;
  readonly redaction: Redaction;
}

/** All that a command works with. */
export interface Session {
  readonly flags: GlobalFlags;
  readonly env: Io['env'];
  readonly cwd: string;
  readonly log: Log;
  readonly screen: Screen;
  /** For commands that tell as they go. Under `--json` nothing but the one document may be written. */
  readonly stdout: Stdout;
  readonly view: View;
  /** Of standard error, for progress and log lines. */
  readonly screenStyle: Style;
  readonly signals: SignalWatch;
  /** From now on these never appear in any output. */
  hide(secrets: Iterable<string>): void;
}

/** Runs one command from its flags to its printed result; returns the exit code. */
export async function runSession(
  io: Io,
  command: string,
  flags: GlobalFlags,
  work: (session: Session) => Promise<Outcome>,
): Promise<number> {
  const { session, close } = await openSession(io, flags);
  try {
    const outcome = await work(session);
    session.screen.panel([]);
    printOutcome(session, outcome);
    return outcome.exitCode;
  } catch (error) {
    session.screen.panel([]);
    const failure = failureOf(error, session.signals.received());
    printFailure(session, command, failure);
    return failure.exitCode;
  } finally {
    close();
  }
}

async function openSession(io: Io, flags: GlobalFlags): Promise<{ readonly session: Session; readonly close: () => void }> {
  const { redaction } = io;
  const screen = openScreen(io.stderr, redaction.redact);
  const stdout = openStdout(io.stdout, redaction.redact);
  io.stderr.on('error', () => {}); // Nobody reads the log any more; the work goes on.
  const screenStyle = styleFor(screen.isTerminal, io.env);
  const pretty = screen.isTerminal && flags.logLevel === undefined;
  const write = (line: string) => screen.line(line);
  const level = flags.logLevel ?? (pretty ? 'warn' : 'info');
  const log = pretty ? prettyLog({ level, write, style: screenStyle }) : jsonLog({ level, write });
  const signals = watchSignals(io.signals, (message) => (pretty ? screen.line(message) : log.warn({}, message)));
  const isTerminal = io.stdout.isTTY;
  const view: View = { style: styleFor(isTerminal, io.env), width: isTerminal ? (io.stdout.columns ?? 80) : null };
  const session: Session = { flags, env: io.env, cwd: io.cwd, log, screen, stdout, view, screenStyle, signals, hide: redaction.hide };
  return { session, close: () => signals.close() };
}

function printOutcome({ flags, stdout, screen, view }: Session, outcome: Outcome): void {
  if (outcome.toStderr === true) return screen.line(flags.json === true ? documentText(outcome.document) : outcome.text(view));
  if (flags.json === true) return stdout.write(`${documentText(outcome.document)}\n`);
  const text = outcome.text(view);
  if (text !== '') stdout.write(`${view.width === null ? text : wrapLines(text, view.width)}\n`);
}

/** BigInt keys of records have no JSON form of their own: their digits as a string lose nothing. */
export function documentText(document: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(document, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 2);
}

function printFailure(session: Session, command: string, failure: Failure): void {
  const { flags, stdout, screen, screenStyle: style, log } = session;
  if (flags.json === true) stdout.write(`${documentText(failureDocument(command, failure))}\n`);
  if (!screen.isTerminal || flags.logLevel !== undefined) return logFailure(log, flags, failure);
  for (const line of failureLines(failure, style)) screen.line(wrapLines(line, screen.columns()));
}

function logFailure(log: Log, flags: GlobalFlags, failure: Failure): void {
  const { code, message, hint, statements, diagnostics, stack } = failure;
  for (const diagnostic of diagnostics ?? []) {
    const { code: which, file, line, column } = diagnostic;
    const fields = { code: which, ...(file === '' ? {} : { file, line, column }) };
    if (diagnostic.severity === 'warning') log.warn(fields, diagnosticText(diagnostic));
    else log.error(fields, diagnosticText(diagnostic));
  }
  if (diagnostics !== undefined) return;
  log.error(
    {
      code,
      ...(hint === undefined ? {} : { hint }),
      ...(statements === undefined ? {} : { statements }),
      ...(flags.logLevel === 'debug' ? { stack } : {}),
    },
    message,
  );
}
