import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { goFile, parseSteps } from './fault-plan.ts';
import type { Place, PlannedFault, Step } from './fault-plan.ts';
import { parseReport } from './printed-report.ts';
import type { PrintedReport } from './printed-report.ts';

/** In a checkout it is three folders up, in an installed package four. */
const LAUNCHER = ['../../../bin/trueup.js', '../../../../bin/trueup.js'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** A command that does not end by itself is a fault of its own. */
const LIMIT_MS = 120_000;
const POLL_MS = 5;

export interface CommandOptions {
  readonly cwd: string;
  readonly args: readonly string[];
  /** File that the process writes its steps to. */
  readonly steps: string;
  readonly faults: readonly PlannedFault[];
  readonly nodeArgs?: readonly string[];
}

export interface Ended {
  readonly args: readonly string[];
  readonly faults: readonly PlannedFault[];
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly report: PrintedReport | null;
  readonly steps: readonly Step[];
  readonly durationMs: number;
  /** The most memory that it held, where the system tells (bytes). */
  readonly peakBytes: number | null;
}

/** A trueup command that runs. */
export interface Running {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  readonly end: Promise<Ended>;
  readonly ended: boolean;
  /** Resolves once the process came to this step; false: it ended before. */
  reached(place: Place): Promise<boolean>;
  /** Lets a paused step go on. */
  go(place: Place): void;
}

/** Starts `trueup …` in a folder whose connectors read the plan. */
export function startCommand(options: CommandOptions): Running {
  const { cwd, args, steps, faults } = options;
  writeFileSync(steps, '');
  const launcher = LAUNCHER.find((path) => existsSync(path));
  if (launcher === undefined) throw new Error(`The trueup command is not where it should be: ${LAUNCHER.join(', ')}.`);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), launcher, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid ?? Number.NaN;
  let [stdout, stderr, ended] = ['', '', false];
  let peakBytes: number | null = null;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const look = setInterval(() => (peakBytes = peakOf(pid) ?? peakBytes), 20);
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const end = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearInterval(look);
      clearTimeout(limit);
      ended = true;
      const durationMs = performance.now() - startedAt;
      const done = parseSteps(readFileSync(steps, 'utf8'));
      resolve({ args, faults, code, signal, stdout, stderr, report: parseReport(stdout), steps: done, durationMs, peakBytes });
    });
  });
  return {
    pid,
    end,
    kill: (signal) => void child.kill(signal),
    get ended() {
      return ended;
    },
    async reached({ hit, when, point }) {
      const line = new RegExp(`^${hit} ${when} ${point.replaceAll('.', String.raw`\.`)}( !)?$`, 'm');
      for (;;) {
        const last = ended;
        if (line.test(readFileSync(steps, 'utf8'))) return true;
        if (last) return false;
        await sleep(POLL_MS);
      }
    },
    go: (place) => writeFileSync(goFile(steps, place), ''),
  };
}

/** As the kernel counts it; elsewhere than on Linux nobody tells. */
function peakOf(pid: number): number | null {
  try {
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}
