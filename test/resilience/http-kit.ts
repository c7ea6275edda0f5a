import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { openHttpClient } from '../../src/sdk.ts';
import type { HttpClient, HttpClientOptions } from '../../src/sdk.ts';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Api extends AsyncDisposable {
  readonly url: string;
  readonly seen: Seen[];
}

export type Answer = (response: ServerResponse, request: Seen, count: number) => void;

/** A real HTTP server on 127.0.0.1. `answer` gets the number of the request, from 1. */
export async function startApi(answer: Answer): Promise<Api> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
      seen.push(one);
      answer(response, one, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface LogLine {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export type TestClient = HttpClient & AsyncDisposable & { readonly lines: LogLine[] };

export function openClient(baseUrl: string, more: Partial<HttpClientOptions> = {}): TestClient {
  const lines: LogLine[] = [];
  const note = (fields: LogLine['fields'], message: string): void => void lines.push({ fields, message });
  const client = openHttpClient({
    baseUrl,
    timeouts: { connectMs: 1_000, headersMs: 1_000, idleMs: 1_000 },
    maxBodyBytes: 1_000_000,
    retry: { attempts: 4, maxDelayMs: 50 },
    log: { debug: note, info: note, warn: note, error: note },
    ...more,
  });
  return { ...client, lines, [Symbol.asyncDispose]: () => client.close() };
}

export const unaborted = (): AbortSignal => new AbortController().signal;

/** A text that matches, inside of an object that must match. */
export const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;
