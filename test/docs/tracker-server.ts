import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An issue as the API delivers it; of a deleted one only `id`. */
export interface Issue {
  readonly id: number;
  readonly deleted: boolean;
  readonly [field: string]: unknown;
}

export interface TrackerServer {
  readonly url: string;
  readonly token: string;
  /** The changes to deliver, in the order in which they happened. Each is delivered once, in its latest state. */
  write(...issues: readonly Issue[]): void;
  /** Answers the next requests with this status. */
  failWith(status: number, times: number): void;
  close(): Promise<void>;
}

/** A tracker with `GET /issues?since=…&limit=…`, which answers `{ items, next }`. */
export async function startTracker(): Promise<TrackerServer> {
  const token = 'let me in';
  const issues = new Map<number, Issue & { readonly version: number }>();
  const failing = { status: 200, times: 0 };
  let version = 0;
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (failing.times > 0) {
      failing.times -= 1;
      return answer(response, failing.status, {});
    }
    if (request.headers.authorization !== `Bearer ${token}`) return answer(response, 401, {});
    if (pathname !== '/issues') return answer(response, 404, {});
    const since = Number(searchParams.get('since') ?? 0);
    const found = [...issues.values()].filter((issue) => issue.version > since).sort((a, b) => a.version - b.version);
    const items = found.slice(0, Number(searchParams.get('limit')));
    return answer(response, 200, { items, next: String(items.at(-1)?.version ?? since) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    write: (...changed) => {
      for (const issue of changed) issues.set(issue.id, { ...issue, version: (version += 1) });
    },
    failWith: (status, times) => Object.assign(failing, { status, times }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
