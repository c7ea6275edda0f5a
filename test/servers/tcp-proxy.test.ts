import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTcpProxy } from './tcp-proxy.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/** Long enough to see that something does not happen; everything else waits for events. */
const SILENCE_MS = 150;

describe('test/servers: tcp proxy', () => {
  let echo: Server;
  let arrived: Socket[];
  let proxy: TcpProxy;
  let client: Socket;

  beforeEach(async () => {
    arrived = [];
    echo = createServer((socket) => {
      arrived.push(socket);
      socket.on('error', () => {});
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await startTcpProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
    client = connect(proxy.port, '127.0.0.1').on('error', () => {});
    await once(client, 'connect');
    await roundTrip(client, 'hello');
  });

  afterEach(async () => {
    client.destroy();
    for (const socket of arrived) socket.destroy();
    await proxy.close();
    echo.close();
  });

  it('passes bytes both ways and counts connections', async () => {
    const big = 'x'.repeat(3_000_000);
    expect(await roundTrip(client, big)).toBe(big);
    expect([proxy.connections, proxy.accepted]).toEqual([1, 1]);
    client.end();
    await once(client, 'close');
    await expect.poll(() => proxy.connections).toBe(0);
  });

  it('resets connections on both sides, and lets new ones through', async () => {
    const ends = [failure(client), failure(arrived[0])];
    proxy.reset();
    expect(await Promise.all(ends)).toEqual(['ECONNRESET', 'ECONNRESET']);
    const next = connect(proxy.port, '127.0.0.1');
    expect(await roundTrip(next, 'again')).toBe('again');
    next.destroy();
  });

  it('refuses until it passes again', async () => {
    const end = failure(client);
    proxy.refuse();
    await end;
    expect(await failure(connect(proxy.port, '127.0.0.1'))).toBe('ECONNRESET');
    proxy.pass();
    const next = connect(proxy.port, '127.0.0.1');
    expect(await roundTrip(next, 'back')).toBe('back');
    next.destroy();
  });

  it('swallows everything in a black hole, without closing, and delivers it when the network heals', async () => {
    proxy.blackHole();
    const answer = roundTrip(client, 'late');
    expect(await Promise.race([answer, sleep(SILENCE_MS, 'silence')])).toBe('silence');
    expect(client.destroyed).toBe(false);
    proxy.pass();
    expect(await answer).toBe('late');
  });

  it('holds one direction alone: the request arrives, its answer does not', async () => {
    proxy.blackHole('toClient');
    const received = once(arrived[0] as Socket, 'data');
    const answer = roundTrip(client, 'commit');
    expect(String((await received)[0])).toBe('commit');
    expect(await Promise.race([answer, sleep(SILENCE_MS, 'silence')])).toBe('silence');
    proxy.pass();
    expect(await answer).toBe('commit');
  });

  it('delays by latency, not by narrowing the line', async () => {
    proxy.delay(100);
    const started = performance.now();
    await roundTrip(client, 'x'.repeat(2_000_000));
    const tookMs = performance.now() - started;
    expect(tookMs).toBeGreaterThan(195);
    expect(tookMs).toBeLessThan(2_000);
  });

  it('throttles', async () => {
    proxy.throttle(100_000);
    const started = performance.now();
    await roundTrip(client, 'x'.repeat(20_000));
    expect(performance.now() - started).toBeGreaterThan(300);
  });

  it('leaves the client with a connection that nobody serves', async () => {
    const end = failure(arrived[0]);
    proxy.halfOpen('server');
    expect(await end).toBe('ECONNRESET');
    client.write('anybody?');
    expect(await Promise.race([once(client, 'close'), once(client, 'data'), sleep(SILENCE_MS, 'silence')])).toBe('silence');
  });

  it('leaves the server with a client that is gone', async () => {
    const end = failure(client);
    proxy.halfOpen('client');
    expect(await end).toBe('ECONNRESET');
    expect(await Promise.race([once(arrived[0] as Socket, 'close'), sleep(SILENCE_MS, 'silence')])).toBe('silence');
  });

  it('resets in the middle of what is being sent', async () => {
    let received = 0;
    arrived[0]?.on('data', (chunk: Buffer) => (received += chunk.length));
    const end = failure(client);
    proxy.resetAfter(100_000);
    client.write('x'.repeat(1_000_000));
    expect(await end).toBe('ECONNRESET');
    expect(received).toBeLessThan(100_000);
  });

  it('rewrites urls', () => {
    expect(proxy.url('postgres://me:secret@db.example:5432/shop')).toBe(`postgres://me:secret@127.0.0.1:${proxy.port}/shop`);
  });
});

async function roundTrip(socket: Socket, text: string): Promise<string> {
  let got = '';
  const whole = new Promise<void>((resolve) => {
    const read = (chunk: Buffer) => {
      got += chunk.toString();
      if (got.length < text.length) return;
      socket.off('data', read);
      resolve();
    };
    socket.on('data', read);
  });
  socket.write(text);
  await whole;
  return got;
}

/** The code with which a connection breaks. */
async function failure(socket: Socket | undefined): Promise<string | undefined> {
  if (socket === undefined) throw new Error('No such connection');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return error.code;
}
