import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import type { Command, Place } from './tool.ts';

/** One run of a tool's command. */
export interface RunResult {
  /** `null` when it was killed. */
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** The end of what it printed, both streams together, for people: it may hold anything. */
  readonly output: string;
}

export interface RunOptions {
  /** SIGKILL for the whole process group at this many ms after the start. */
  readonly killAfterMs?: number;
  /** A run that takes longer hangs: killed, and reported as failed. */
  readonly limitMs?: number;
}

const LIMIT_MS = 5 * 60_000;
const OUTPUT_CHARS = 4_000;

/** Switches of the tools and of the libraries below them. A bench is no business of anybody's statistics, and there may be no network. */
const QUIET: Readonly<Record<string, string>> = {
  AWS_EC2_METADATA_DISABLED: 'true',
  DO_NOT_TRACK: '1',
  DISABLE_TELEMETRY: 'true',
  TELEMETRY_OPTOUT: 'true',
  NO_COLOR: '1',
  RUNTIME__DLTHUB_TELEMETRY: 'false',
  SLING_DISABLE_TELEMETRY: 'true',
  SLING_DISABLE_UPDATE: 'true',
  INGESTR_DISABLE_TELEMETRY: 'true',
  MELTANO_SEND_ANONYMOUS_USAGE_STATS: 'false',
};

/** Runs a tool once. In a process group of its own, so that a kill reaches all of a pipe. Never throws: a command that cannot start has failed. */
export function runTool(command: Command, place: Pick<Place, 'dir'>, options: RunOptions = {}): Promise<RunResult> {
  const startedAt = performance.now();
  const [program = '', ...args] = command.argv;
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, {
      cwd: place.dir,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment(place.dir), ...command.env },
    });
    const kill = () => killGroup(child.pid);
    const limit = setTimeout(kill, options.limitMs ?? LIMIT_MS);
    const killer = options.killAfterMs === undefined ? undefined : setTimeout(kill, options.killAfterMs);
    const end = (exitCode: number | null) => {
      clearTimeout(limit);
      clearTimeout(killer);
      kill(); // What the command left behind in the background would write into the next measurement.
      resolve({ exitCode, durationMs: Math.round(performance.now() - startedAt), output });
    };
    const keep = (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARS));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => {
      output += error.message;
      end(127);
    });
    child.once('exit', (code) => end(code));
  });
}

/** What every tool gets: the PATH, a home of its own, and no telemetry. */
export function environment(dir: string): Record<string, string> {
  const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  return { ...QUIET, PATH: path, HOME: dir, LANG: 'C.UTF-8', TZ: 'UTC' };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}
