import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { exactJsonText, parseExactJson } from '../../../src/sdk.ts';
import type { ExactJson } from '../../../src/sdk.ts';

/** A record of the API: `id` and whatever else. */
export type Item = Readonly<Record<string, unknown>> & { readonly id: number | string };

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What an answer does instead of what the API would do. `true`: it has answered. */
export type Twist = (asked: Asked, response: ServerResponse) => boolean | Promise<boolean>;

export interface ApiServer {
  readonly url: string;
  /** Collections by name; an item's place is its place in the list. */
  readonly collections: Map<string, Map<string, Item>>;
  /** Every request, in order. */
  readonly asked: Asked[];
  /** Asked before anything else, the first first; one that says `true` has answered. */
  readonly twists: Twist[];
  /** Changes items in place or adds them; each gets a later `updated_at` (microseconds), those of one call the same. */
  write(collection: string, items: readonly Item[]): void;
  remove(collection: string, ids: readonly (number | string)[]): void;
  close(): Promise<void>;
}

/**
 * A server with collections of items: `GET /{collection}` in pages, by what is asked for:
 *
 * - `?since=` items whose `updated_at` is at or after it; `?limit=` page size (default 10)
 * - `?page=` numbered from 1 · `?offset=` · `?after=` items of a greater id · `?cursor=` opaque · nothing of it: the first page
 *
 * Answers `{ data, meta: { next, more, url } }` and a Link header. Items are listed in the order in which they were first written. Further: `GET /{collection}/{id}`,
 * `PUT`, `PATCH` and `DELETE` of it, `GET /{collection}/{id}/{children}` where items of `children` have a `parent_id`. An item that was sent is given back with every digit of
 * its numbers.
 *
 * @param agoMs how long ago items were written when they are; what is written in the second in which a read begins is read again by the next one
 */
export async function startApi({ agoMs = 0 }: { readonly agoMs?: number } = {}): Promise<ApiServer> {
  const collections: ApiServer['collections'] = new Map();
  const asked: Asked[] = [];
  const twists: Twist[] = [];
  let clock = (Date.now() - agoMs) * 1000;
  const collection = (name: string): Map<string, Item> => {
    const made = collections.get(name) ?? new Map<string, Item>();
    collections.set(name, made);
    return made;
  };
  const server = createServer((request, response) => void handle(request, response));

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    const one: Asked = { method: request.method ?? 'GET', url, headers: request.headers, body: Buffer.concat(chunks).toString() };
    asked.push(one);
    for (const twist of twists.slice()) if (await twist(one, response)) return;
    answer(one, response);
  }

  function answer({ method, url, body }: Asked, response: ServerResponse): void {
    const [name = '', id, children] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    const items = collection(name);
    if (id === undefined) return sendPage(url, [...items.values()], response);
    if (children !== undefined) {
      if (!items.has(id)) return send(response, 404, {});
      return sendPage(
        url,
        [...collection(children).values()].filter((item) => String(item['parent_id']) === id),
        response,
      );
    }
    const item = items.get(id);
    if (method === 'GET') return item === undefined ? send(response, 404, {}) : sendText(response, itemText(item));
    if (method === 'DELETE') {
      items.delete(id);
      return send(response, item === undefined ? 404 : 204, item === undefined ? {} : null);
    }
    const stored = itemOf(method === 'PATCH' && item !== undefined ? merged(itemText(item), body) : body);
    items.set(id, stored);
    return sendText(response, itemText(stored), { status: item === undefined ? 201 : 200 });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    collections,
    asked,
    twists,
    write: (name, items) => {
      clock = Math.max(clock + 1, (Date.now() - agoMs) * 1000);
      for (const item of items)
        collection(name).set(String(item.id), { ...collection(name).get(String(item.id)), ...item, updated_at: isoMicros(clock) });
    },
    remove: (name, ids) => {
      for (const id of ids) collection(name).delete(String(id));
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body === null ? '' : JSON.stringify(body));
}

/** The text that an item came as: as an object it may have lost digits. */
const texts = new WeakMap<Item, string>();

function itemOf(text: string): Item {
  const item = JSON.parse(text) as Item;
  texts.set(item, text);
  return item;
}

function itemText(item: Item): string {
  return texts.get(item) ?? JSON.stringify(item);
}

function merged(text: string, change: string): string {
  const [before, after] = [text, change].map((json) => parseExactJson(json) as ReadonlyMap<string, ExactJson>);
  return exactJsonText(new Map([...(before ?? []), ...(after ?? [])]));
}

function sendText(
  response: ServerResponse,
  text: string,
  { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Record<string, string> } = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
}

/** Sends slowly, in pieces; the rest is left unsent when `cutAfter` pieces have gone. */
export async function sendSlowly(
  response: ServerResponse,
  text: string,
  how: { readonly pieces: number; readonly pauseMs: number; readonly cutAfter?: number },
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  const size = Math.ceil(text.length / how.pieces);
  for (let piece = 0; piece < how.pieces; piece++) {
    if (piece === how.cutAfter) return void response.destroy();
    response.write(text.slice(piece * size, (piece + 1) * size));
    await sleep(how.pauseMs);
  }
  response.end();
}

function sendPage(url: URL, all: readonly Item[], response: ServerResponse): void {
  const { searchParams: asked } = url;
  const since = asked.get('since');
  const found = all.filter((item) => since === null || String(item['updated_at']) >= since);
  const limit = Number(asked.get('limit') ?? 10);
  const from = firstIndex(asked, found, limit);
  const data = found.slice(from, from + limit);
  const end = from + data.length;
  const more = end < found.length;
  const next = new URL(url);
  next.searchParams.set('cursor', `c${end}`);
  const link = more ? { link: `<${url.href}>; rel="self", <${next.href}>; rel="next"` } : {};
  const meta = JSON.stringify({ next: more ? `c${end}` : null, more, url: more ? next.href : null });
  sendText(response, `{"data":[${data.map(itemText).join(',')}],"meta":${meta}}`, { headers: link });
}

function firstIndex(asked: URLSearchParams, found: readonly Item[], limit: number): number {
  if (asked.has('page')) return (Number(asked.get('page')) - 1) * limit;
  if (asked.has('offset')) return Number(asked.get('offset'));
  if (asked.has('cursor')) return Number(asked.get('cursor')?.slice(1));
  const after = asked.get('after');
  if (after === null) return 0;
  const index = found.findIndex((item) => Number(item.id) > Number(after));
  return index < 0 ? found.length : index;
}

/** Microseconds since 1970 as ISO text. */
export function isoMicros(micros: number): string {
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;
}
