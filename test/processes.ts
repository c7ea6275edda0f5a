import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { afterAll, inject } from 'vitest';

const LAUNCHER = inject('launcher');

export interface TrueupOptions {
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends the process with SIGKILL. */
  readonly signal?: AbortSignal;
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  /** Options of Node.js itself, such as `--max-old-space-size=64`. */
  readonly nodeArgs?: readonly string[];
}

export interface Exit {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A trueup command that is running. */
export interface TrueupProcess extends AsyncDisposable {
  readonly pid: number;
  /** So far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Any signal: SIGTERM, SIGKILL, SIGSTOP, SIGCONT. It goes to the trueup process itself; there is no shell around it. */
  kill(signal: NodeJS.Signals): void;
  waitForExit(timeoutMs?: number): Promise<Exit>;
  /** The match, as soon as what it has written to stdout or stderr so far matches. @throws when it ends or the time is up before that */
  waitForOutput(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
}

const WAIT_MS = 30_000;
const running = new Set<ChildProcessWithoutNullStreams>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs `trueup …` to its end, as it is published. */
export async function runTrueup(args: readonly string[], options: TrueupOptions = {}): Promise<Exit> {
  return spawnTrueup(args, options).waitForExit(Number.POSITIVE_INFINITY);
}

/** Starts `trueup …` as it is published. Killed after the last test of the file, if it still runs then. */
export function spawnTrueup(args: readonly string[], options: TrueupOptions = {}): TrueupProcess {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), LAUNCHER, ...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' }),
  });
  running.add(child);
  child.on('error', () => {}); // An abort is reported as an error as well; the exit says it already.
  child.stdin.on('error', () => {}); // It may end without having read.
  child.stdin.end(options.input ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exit = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, stdout, stderr });
    });
  });
  const what = `trueup ${args.join(' ')}`;
  const soFar = () => `\nstdout: ${stdout}\nstderr: ${stderr}`;
  const kill = (signal: NodeJS.Signals) => void child.kill(signal);
  return {
    pid: child.pid ?? Number.NaN,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    kill,
    waitForExit: (timeoutMs = WAIT_MS) => withLimit(exit, timeoutMs, () => `${what} has not ended${soFar()}`),
    waitForOutput(pattern, timeoutMs = WAIT_MS) {
      const found = new Promise<RegExpMatchArray>((resolve, reject) => {
        const look = () => {
          const match = stdout.match(pattern) ?? stderr.match(pattern);
          if (match !== null) resolve(match);
        };
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        look();
        void exit.then(() => reject(new Error(`${what} ended without printing ${pattern}${soFar()}`)));
      });
      return withLimit(found, timeoutMs, () => `${what} has not printed ${pattern}${soFar()}`);
    },
    async [Symbol.asyncDispose]() {
      kill('SIGKILL');
      await exit;
    },
  };
}

/** setTimeout takes no infinity: then there is no limit but the test's own. */
async function withLimit<T>(promise: Promise<T>, ms: number, message: () => string): Promise<T> {
  if (!Number.isFinite(ms)) return promise;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${message()}\nafter ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
