import type { RunSignals } from './job-context.ts';

/**
 * Why a run is asked to stop, carried as the reason of its stop signal. Not a fault: what was reached is at a checkpoint.
 * `exitCode`: 130 or 143 after a signal, 0 after `--max-time`.
 */
export class StopRequest extends Error {
  override readonly name = 'AbortError';
  readonly exitCode: 0 | 130 | 143;

  constructor(exitCode: 0 | 130 | 143) {
    super(exitCode === 0 ? 'the time limit is reached' : 'a signal asked the run to stop');
    this.exitCode = exitCode;
  }
}

export function stopExitCode(signal: AbortSignal): number {
  const reason: unknown = signal.reason;
  return reason instanceof StopRequest ? reason.exitCode : 143;
}

/** Adds a stop of its own after `maxTimeMs`, for `--max-time`. `clear` when the run has ended. */
export function withTimeLimit(signals: RunSignals, maxTimeMs: number | undefined): { readonly signals: RunSignals; clear(): void } {
  if (maxTimeMs === undefined) return { signals, clear: () => {} };
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new StopRequest(0)), maxTimeMs);
  return { signals: { stop: AbortSignal.any([signals.stop, over.signal]), abort: signals.abort }, clear: () => clearTimeout(timer) };
}
