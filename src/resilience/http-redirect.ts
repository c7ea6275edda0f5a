import { TrueupError } from '../errors.ts';

/** What is sent to one address. */
export interface Sending {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
  /** Whether a redirect has led to another origin: nothing that proves who asks goes there. */
  readonly strayed: boolean;
}

const MAX_REDIRECTS = 5;

/** All that another origin gets to see. */
const HARMLESS: ReadonlySet<string> = new Set(['accept', 'accept-language', 'accept-encoding', 'content-type', 'user-agent']);

/**
 * Where an answer sends the request to, or `null` when it is no redirect. As RFC 9110 says and browsers do: 303 asks with GET, 301 and 302 turn POST into GET, 307 and
 * 308 keep method and body. Another origin gets no credentials, no headers of the caller but harmless ones, and no body.
 *
 * @param hops redirects followed so far
 * @throws {TrueupError} `E_HTTP_REDIRECT`
 */
export function redirected(from: Sending, status: number, location: string | undefined, hops: number): Sending | null {
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return null;
  const refuse = (why: string): never => {
    throw new TrueupError('E_HTTP_REDIRECT', `${addressText(from.url)} redirects (${status}) ${why}`);
  };
  if (!URL.canParse(location, from.url.href)) return refuse('to an address that is none');
  const url = new URL(location, from.url);
  Object.assign(url, { hash: '', username: '', password: '' });
  const to = addressText(url);
  if (hops >= MAX_REDIRECTS) return refuse(`to ${to}, after ${hops} redirects before: at most ${MAX_REDIRECTS} are followed`);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return refuse(`to a ${url.protocol} address: only http and https are followed`);
  if (from.url.protocol === 'https:' && url.protocol === 'http:') return refuse(`to ${to}, which is not encrypted`);
  const kept = keepsMethod(from.method, status) ? from : { ...from, method: 'GET', body: null, headers: withoutContent(from.headers) };
  if (url.origin === from.url.origin) return { ...kept, url };
  if (kept.body !== null) return refuse(`to ${to}, another server, which would get the body of the ${from.method} request`);
  const headers = Object.fromEntries(Object.entries(kept.headers).filter(([name]) => HARMLESS.has(name)));
  return { ...kept, url, headers, strayed: true };
}

function keepsMethod(method: string, status: number): boolean {
  if (status === 303) return method === 'GET' || method === 'HEAD';
  return status >= 307 || method !== 'POST';
}

function withoutContent(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('content-')));
}

/** An address for people: without query, credentials and fragment, which may hold secrets. */
export function addressText(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
