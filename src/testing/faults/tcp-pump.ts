import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Reading stops when this much waits to be sent on, so that a held connection pushes back as a real one does. */
const MAX_QUEUED_BYTES = 1 << 20;

/** What happens to the bytes of one direction at the moment. */
export interface Weather {
  /** Nothing arrives, nothing is lost: as in a network that will retransmit once it is whole again. */
  readonly held: boolean;
  readonly delayMs: number;
  readonly bytesPerSecond: number;
}

export const FAIR: Weather = { held: false, delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };

export interface PumpOptions {
  readonly from: Socket;
  readonly to: Socket;
  readonly weather: () => Weather;
  /** Resolves at the next change of the weather. */
  readonly changed: () => Promise<void>;
  /** Called before bytes are sent on; false stops the pump. */
  readonly passes: (bytes: number) => boolean;
}

/** Carries bytes one way, in order, until the sender ends or either socket is gone. */
export async function pump({ from, to, weather, changed, passes }: PumpOptions): Promise<void> {
  const arrivals = readAhead(from);
  for (let next = await arrivals.take(); next !== null; next = await arrivals.take()) {
    while (weather().held) await changed();
    const dueMs = next.arrivedMs + weather().delayMs - performance.now();
    if (dueMs > 0) await sleep(dueMs);
    const { bytesPerSecond } = weather();
    if (Number.isFinite(bytesPerSecond)) await sleep((next.bytes.length / bytesPerSecond) * 1000);
    while (weather().held) await changed();
    if (to.destroyed || !passes(next.bytes.length)) return;
    if (!to.write(next.bytes)) await drained(to);
  }
  // Only an orderly end is passed on; what a broken connection means for the other side is for the proxy to say.
  if (from.readableEnded && !to.destroyed) to.end();
}

interface Arrival {
  readonly bytes: Buffer;
  readonly arrivedMs: number;
}

/** Notes when bytes arrive, also while earlier ones are still being delayed: a delay is latency, it does not narrow the line. */
function readAhead(socket: Socket): { take(): Promise<Arrival | null> } {
  const queue: Arrival[] = [];
  let queuedBytes = 0;
  let ended = false;
  let wake = () => {};
  socket.on('data', (bytes: Buffer) => {
    queue.push({ bytes, arrivedMs: performance.now() });
    queuedBytes += bytes.length;
    if (queuedBytes > MAX_QUEUED_BYTES) socket.pause();
    wake();
  });
  const end = () => {
    ended = true;
    wake();
  };
  socket.on('end', end).on('close', end);
  return {
    async take() {
      while (queue.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
      const next = queue.shift();
      if (next === undefined) return null;
      queuedBytes -= next.bytes.length;
      if (queuedBytes <= MAX_QUEUED_BYTES && socket.isPaused()) socket.resume();
      return next;
    },
  };
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
