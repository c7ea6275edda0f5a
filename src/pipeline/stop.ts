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
