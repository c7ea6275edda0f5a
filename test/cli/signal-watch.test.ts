import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchSignals } from '../../src/cli/signal-watch.ts';
import type { StopSignal } from '../../src/cli/signal-watch.ts';
import { stopExitCode } from '../../src/pipeline/stop.ts';

function watched() {
  const listeners = new Map<StopSignal, () => void>();
  const exits: number[] = [];
  const told: string[] = [];
  const source = {
    on: (signal: StopSignal, listener: () => void) => listeners.set(signal, listener),
    off: (signal: StopSignal) => listeners.delete(signal),
    exit: (code: number) => void exits.push(code),
  };
  const watch = watchSignals(source, (message) => told.push(message));
  return { watch, exits, told, listeners, send: (signal: StopSignal) => listeners.get(signal)?.() };
}

describe('cli: signals', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops reading, with exit code %d as its reason, and leaves writing alone', (signal, code) => {
    const { watch, send, told } = watched();
    send(signal);
    expect(watch.received()).toBe(signal);
    expect(watch.stop.aborted).toBe(true);
    expect(stopExitCode(watch.stop)).toBe(code);
    expect(watch.abort.aborted).toBe(false);
    expect(told).toEqual([`${signal}: stopping; a second signal aborts at once`]);
  });

  it('a second signal aborts at once, a third ends the process with the code of the first', () => {
    const { watch, send, exits } = watched();
    send('SIGTERM');
    send('SIGINT');
    expect(watch.abort.aborted).toBe(true);
    expect(exits).toEqual([]);
    send('SIGINT');
    expect(exits).toEqual([143]);
  });

  it('aborts when the grace time is over, and ends the process when even that does not help', () => {
    const { watch, send, exits } = watched();
    watch.setGrace(1000);
    send('SIGINT');
    vi.advanceTimersByTime(999);
    expect(watch.abort.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(watch.abort.aborted).toBe(true);
    vi.advanceTimersByTime(5000);
    expect(exits).toEqual([130]);
  });

  it('does nothing any more once it is closed', () => {
    const { watch, send, exits, listeners } = watched();
    send('SIGINT');
    watch.close();
    vi.advanceTimersByTime(60_000);
    expect(listeners.size).toBe(0);
    expect(exits).toEqual([]);
  });
});
