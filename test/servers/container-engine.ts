import { existsSync } from 'node:fs';
import { request } from 'node:http';
import type { RequestOptions } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PING_TIMEOUT_MS = 1_000;

/**
 * The address of a container engine that answers, or `null`. Asked before testcontainers is loaded: that takes half a second to import, and
 * against a socket that accepts and never answers it waits for minutes. A `docker` command proves nothing; it may be the client alone.
 */
export async function findContainerEngine(env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  for (const candidate of candidates(env)) {
    if (await answers(candidate)) return candidate;
  }
  return null;
}

function candidates(env: NodeJS.ProcessEnv): string[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  const home = env['HOME'] ?? homedir();
  const sockets = ['/var/run/docker.sock', ...(runtime ? [join(runtime, 'docker.sock')] : []), join(home, '.docker/run/docker.sock')];
  return [
    ...(env['DOCKER_HOST'] ? [env['DOCKER_HOST']] : []),
    ...sockets.filter((path) => existsSync(path)).map((path) => `unix://${path}`),
  ];
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const target = pingTarget(address);
    if (target === null) return resolve(false);
    // A limit on the whole exchange: a socket timeout alone is set back by every byte that trickles in.
    const signal = AbortSignal.timeout(PING_TIMEOUT_MS);
    const ping = request({ ...target, path: '/_ping', signal }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on('error', () => resolve(false));
    ping.end();
  });
}

function pingTarget(address: string): RequestOptions | null {
  if (address.startsWith('unix://')) return { socketPath: address.slice('unix://'.length) };
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  return { host: url.hostname, port: url.port === '' ? 2375 : Number(url.port) };
}
