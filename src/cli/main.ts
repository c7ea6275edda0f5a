import { existsSync, readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { failureOf, usageError } from './failure.ts';
import { LOG_LEVELS } from './flags.ts';
import type { GlobalFlags, LogLevel } from './flags.ts';
import { buildProgram } from './program.ts';
import { createRedaction } from './redaction.ts';
import type { Redaction } from './redaction.ts';
import { documentText, runSession } from './session.ts';
import type { Io } from './session.ts';

/** Runs one command line, without `node` and the script. Returns the exit code; the caller ends the process with it. */
export async function main(argv: string[]): Promise<number> {
  const redaction = createRedaction(argv);
  const io: Io = {
    redaction,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    signals: {
      on: (signal, listener) => process.on(signal, listener),
      off: (signal, listener) => process.off(signal, listener),
      exit: (code) => process.exit(code),
    },
  };
  dieOfBugs(argv, redaction);
  const flags = flagsIn(argv);
  let exitCode = 0;
  const program = buildProgram({
    version: version(),
    dispatch: async (command, work) => {
      exitCode = await runSession(io, command, program.opts<GlobalFlags>(), work);
    },
    writeHelpForError: (text) => (flags.json === true ? undefined : io.stderr.write(text)),
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0; // --help, --version
    if (isHelpForNothing(error) && flags.json !== true) return 2; // The help itself was the message.
    const command = commandIn(argv);
    return runSession(io, command, flags, () => Promise.reject(usageError(error, command)));
  }
}

function isHelpForNothing(error: unknown): boolean {
  return error instanceof CommanderError && error.code === 'commander.help';
}

/** The flags that decide how an error is told, when the command line as a whole is not understood. */
function flagsIn(argv: readonly string[]): GlobalFlags {
  const options = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length);
  const level = options
    .flatMap((option, index) =>
      option === '--log-level' ? [options[index + 1]] : option.startsWith('--log-level=') ? [option.slice(12)] : [],
    )
    .at(-1);
  return { json: options.includes('--json'), ...(isLogLevel(level) ? { logLevel: level } : {}) };
}

function isLogLevel(text: string | undefined): text is LogLevel {
  return (LOG_LEVELS as readonly (string | undefined)[]).includes(text);
}

/** The first word that is no option, nor the value of one. */
function commandIn(argv: readonly string[]): string {
  return (
    argv.find((argument, index) => !argument.startsWith('-') && !['--config', '--log-level'].includes(argv[index - 1] ?? '')) ?? 'trueup'
  );
}

/** Beside `src` in a checkout, beside `dist` in a package. */
function version(): string {
  const file = ['../../package.json', '../../../package.json'].map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  return file === undefined ? 'unknown' : (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** What nobody catches is a bug. It is told like every other error, and the process must not go on in an unknown state. */
function dieOfBugs(argv: readonly string[], { redact }: Redaction): void {
  const die = (thrown: unknown) => {
    const { message, hint, stack } = failureOf(thrown instanceof Error ? new Error(thrown.message, { cause: thrown }) : thrown);
    const flags = flagsIn(argv);
    const detail = flags.logLevel === 'debug' ? { stack } : {};
    if (process.stderr.isTTY && flags.logLevel === undefined)
      process.stderr.write(redact(`error [E_BUG] ${message}\n  what to do: ${hint}\n`));
    else
      process.stderr.write(
        redact(`${JSON.stringify({ level: 'error', time: new Date().toISOString(), code: 'E_BUG', hint, ...detail, msg: message })}\n`),
      );
    if (flags.json === true)
      process.stdout.write(
        redact(`${documentText({ command: commandIn(argv), error: { code: 'E_BUG', message, hint }, exitCode: 70 })}\n`),
      );
    process.exit(70);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}
