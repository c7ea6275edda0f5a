import { TrueupError } from '../errors.ts';
import type { RunSignals } from '../pipeline/job-context.ts';
import { StopRequest } from '../pipeline/stop.ts';

export type StopSignal = 'SIGINT' | 'SIGTERM';

const EXIT_CODE = { SIGINT: 130, SIGTERM: 143 } as const satisfies Record<StopSignal, number>;

/** How long an abort may take before the process ends all the same. Nothing is lost: the checkpoint is the last durable one. */
const ABORT_GRACE_MS = 5000;
const DEFAULT_GRACE_MS = 20_000;

/** The process that sends signals; tests put another in its place. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown;
  off(signal: StopSignal, listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * Turns signals into the two signals of a run.
 *
 *     waiting ─ first ─▶ stopping ─ second, or the grace time is over ─▶ aborting ─ third, or 5 s ─▶ exit
 *
 * `stop` ends reading at once and lets the run end at a checkpoint; `abort` ends writing too.
 */
export interface SignalWatch extends RunSignals {
  /** The first that came. */
  received(): StopSignal | null;
  /** Starts to count with the first signal. */
  setGrace(milliseconds: number): void;
  close(): void;
}

export function watchSignals(source: SignalSource, tell: (message: string) => void): SignalWatch {
  const stop = new AbortController();
  const abort = new AbortController();
  let first: StopSignal | null = null;
  let graceMs = DEFAULT_GRACE_MS;
  let timer: NodeJS.Timeout | undefined;
  const exit = () => source.exit(first === null ? 1 : EXIT_CODE[first]);
  const beginAbort = (message: string) => {
    if (abort.signal.aborted) return;
    clearTimeout(timer);
    tell(message);
    abort.abort(new TrueupError('E_STOPPED', 'aborted: the last durable checkpoint stands'));
    timer = setTimeout(exit, ABORT_GRACE_MS).unref();
  };
  const receive = (signal: StopSignal) => () => {
    if (abort.signal.aborted) return exit();
    if (first !== null) return beginAbort('aborting at once; the last durable checkpoint stands');
    first = signal;
    tell(`${signal}: stopping; a second signal aborts at once`);
    stop.abort(new StopRequest(EXIT_CODE[signal]));
    timer = setTimeout(() => beginAbort('the shutdown grace time is over; aborting'), graceMs).unref();
  };
  const listeners = { SIGINT: receive('SIGINT'), SIGTERM: receive('SIGTERM') };
  source.on('SIGINT', listeners.SIGINT);
  source.on('SIGTERM', listeners.SIGTERM);
  return {
    stop: stop.signal,
    abort: abort.signal,
    received: () => first,
    setGrace(milliseconds) {
      graceMs = milliseconds;
    },
    close() {
      clearTimeout(timer);
      source.off('SIGINT', listeners.SIGINT);
      source.off('SIGTERM', listeners.SIGTERM);
    },
  };
}

/** The exit code of a command that a signal ended. */
export function signalExitCode(signal: StopSignal): number {
  return EXIT_CODE[signal];
}
