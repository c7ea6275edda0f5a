import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { FAIR, pump } from './tcp-pump.ts';
import type { Weather } from './tcp-pump.ts';

/** `toClient` alone lets a commit arrive and loses its acknowledgement. */
export type Direction = 'toServer' | 'toClient' | 'both';

/** A TCP proxy on 127.0.0.1 that breaks on demand. Every fault lasts until the next `pass()`; `reset()` and `halfOpen()` happen once. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** The url with its host and port replaced by the proxy's. */
  url(original: string): string;
  /** Open now. */
  readonly connections: number;
  /** Since the start. */
  readonly accepted: number;
  /** Ends every fault. What was held or delayed arrives. */
  pass(): void;
  /** Resets (RST) all open connections. New ones are let through. */
  reset(): void;
  /** Resets all open connections and every new one: the server is down. */
  refuse(): void;
  /** Nothing arrives any more, nobody is told. New connections are accepted and stay silent. */
  blackHole(direction?: Direction): void;
  delay(ms: number): void;
  /** Per connection and direction. */
  throttle(bytesPerSecond: number): void;
  /** One side vanishes, and the other is not told: its connection stays open and silent for ever. New connections are let through. */
  halfOpen(gone: 'client' | 'server'): void;
  /** Resets all connections once this many more bytes went to the server: in the middle of whatever is being sent. */
  resetAfter(bytesToServer: number): void;
  /** New connections lead to another server from now on: a failover. Open ones are reset. */
  forward(target: string | Address): void;
  close(): Promise<void>;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** The end of one side is not passed on to the other. */
  severed: boolean;
}

/** @param target url or address of the real server */
export async function startTcpProxy(target: string | Address): Promise<TcpProxy> {
  let address = addressOf(target);
  const pairs = new Set<Pair>();
  let weather = { toServer: FAIR, toClient: FAIR };
  let refusing = false;
  let bytesUntilReset = Number.POSITIVE_INFINITY;
  let accepted = 0;
  let change = Promise.withResolvers<void>();

  const set = (next: { toServer: Weather; toClient: Weather }) => {
    weather = next;
    change.resolve();
    change = Promise.withResolvers<void>();
  };
  const setBoth = (part: Partial<Weather>) =>
    set({ toServer: { ...weather.toServer, ...part }, toClient: { ...weather.toClient, ...part } });
  const reset = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    setBoth({}); // Wakes pumps that hold bytes of the connections just gone.
  };
  const passes = (bytes: number) => {
    bytesUntilReset -= bytes;
    if (bytesUntilReset > 0) return true;
    bytesUntilReset = Number.POSITIVE_INFINITY;
    reset();
    return false;
  };

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    accepted++;
    if (refusing) return void client.resetAndDestroy();
    const server = connect({ ...address, allowHalfOpen: true });
    const pair = { client, server, severed: false };
    pairs.add(pair);
    tieTogether(pair, () => pairs.delete(pair));
    const changed = () => change.promise;
    void pump({ from: client, to: server, weather: () => weather.toServer, changed, passes });
    void pump({ from: server, to: client, weather: () => weather.toClient, changed, passes: () => true });
  });
  await new Promise<void>((resolve, reject) => listener.once('error', reject).listen(0, '127.0.0.1', resolve));
  const ownPort = (listener.address() as AddressInfo).port;

  const close = async () => {
    reset();
    await new Promise<void>((resolve) => listener.close(() => resolve()));
  };
  return {
    port: ownPort,
    get connections() {
      return pairs.size;
    },
    get accepted() {
      return accepted;
    },
    url(original) {
      const url = new URL(original);
      url.host = `127.0.0.1:${ownPort}`;
      return url.href;
    },
    pass() {
      refusing = false;
      bytesUntilReset = Number.POSITIVE_INFINITY;
      set({ toServer: FAIR, toClient: FAIR });
    },
    reset,
    refuse() {
      refusing = true;
      reset();
    },
    blackHole(direction = 'both') {
      const hold = (way: Direction, now: Weather) => (direction === way || direction === 'both' ? { ...now, held: true } : now);
      set({ toServer: hold('toServer', weather.toServer), toClient: hold('toClient', weather.toClient) });
    },
    delay: (delayMs) => setBoth({ delayMs }),
    throttle: (bytesPerSecond) => setBoth({ bytesPerSecond }),
    halfOpen(gone) {
      for (const pair of pairs) {
        pair.severed = true;
        pair[gone].resetAndDestroy();
      }
    },
    resetAfter(bytesToServer) {
      bytesUntilReset = bytesToServer;
    },
    forward(next) {
      address = addressOf(next);
      reset();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function addressOf(target: string | Address): Address {
  if (typeof target !== 'string') return target;
  const { hostname, port } = new URL(target);
  return { host: hostname, port: Number(port) };
}

/** The end of either side ends the other, unless they were severed. */
function tieTogether(pair: Pair, gone: () => void): void {
  const { client, server } = pair;
  let open = 2;
  for (const [socket, other] of [
    [client, server],
    [server, client],
  ] as const) {
    socket.setNoDelay(true);
    socket.on('error', () => !pair.severed && other.resetAndDestroy());
    socket.on('close', () => {
      if (!pair.severed && socket.readableAborted) other.destroy();
      if (--open === 0) gone();
    });
  }
}
