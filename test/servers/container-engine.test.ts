import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findContainerEngine } from './container-engine.ts';

describe('test/servers: container engine', () => {
  let folder: string;
  const servers: Server[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trueup-engine-'));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const socketPath = () => join(folder, 'engine.sock');
  // A HOME and no XDG_RUNTIME_DIR, so that an engine of the person who runs the tests is not found.
  const env = () => ({ DOCKER_HOST: `unix://${socketPath()}`, HOME: folder });

  async function listen(server: Server): Promise<void> {
    servers.push(server.listen(socketPath()));
    await once(server, 'listening');
  }

  it('finds one that answers a ping', async () => {
    const asked: string[] = [];
    await listen(createHttpServer((request, response) => void response.end(void asked.push(request.url ?? ''))));
    expect(await findContainerEngine(env())).toBe(`unix://${socketPath()}`);
    expect(asked).toEqual(['/_ping']);
  });

  it('gives up within about a second on a socket that accepts and never answers', async () => {
    await listen(createServer(() => {}));
    const started = performance.now();
    expect(await findContainerEngine(env())).not.toBe(`unix://${socketPath()}`);
    expect(performance.now() - started).toBeLessThan(3_500);
  });

  it('gives up on one that trickles an answer without end', async () => {
    await listen(
      createServer((socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 200'), 100);
        socket.on('error', () => {}).on('close', () => clearInterval(timer));
      }),
    );
    expect(await findContainerEngine(env())).not.toBe(`unix://${socketPath()}`);
  });

  it.each([
    ['a socket that is not there', () => `unix://${socketPath()}`],
    ['a port where nobody listens', () => 'tcp://127.0.0.1:9'],
    ['something that is no address', () => 'nonsense'],
  ])('takes no for an answer: %s', async (_name, host) => {
    expect(await findContainerEngine({ ...env(), DOCKER_HOST: host() })).not.toBe(host());
  });

  it('does not take an engine that reports an error for one that works', async () => {
    await listen(createHttpServer((_request, response) => void response.writeHead(500).end()));
    expect(await findContainerEngine(env())).not.toBe(`unix://${socketPath()}`);
  });
});
