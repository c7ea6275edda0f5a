import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a test gets to know of a server that the run shares. */
export type Shared = Readonly<Record<string, unknown>>;

/**
 * A server that starts when the first test asks for it, so that a run without such a test never pays for it. The asking goes by HTTP, as tests
 * run in processes of their own; all of them get the same answer.
 */
export async function serveOnDemand(find: () => Promise<{ readonly answer: Shared; stop(): Promise<void> }>) {
  let started: ReturnType<typeof find> | null = null;
  const listener = createServer((_request, response) => {
    started ??= find();
    started.then(
      ({ answer }) => response.end(JSON.stringify(answer)),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => listener.once('error', reject).listen(0, '127.0.0.1', resolve));
  listener.unref();
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`,
    stop: async () => {
      listener.close();
      listener.closeAllConnections();
      const found = await started?.catch(() => null);
      await found?.stop();
    },
  };
}

/** @throws when the server was asked for and cannot be had */
export async function ask<Answer extends Shared>(url: string): Promise<Answer> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text) as Answer;
}
