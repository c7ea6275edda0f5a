import { TrueupError } from '../errors.ts';
import type { Turn } from '../model/limiter.ts';
import { drop, openBody } from './http-body.ts';
import type { HttpAnswer, HttpClient, HttpClientOptions, HttpRequest } from './http-contract.ts';
import { openExchange } from './http-exchange.ts';
import type { Exchange, RawAnswer } from './http-exchange.ts';
import { TryFault } from './http-faults.ts';
import { addressText, redirected } from './http-redirect.ts';
import type { Sending } from './http-redirect.ts';
import { isIdempotent, retryDelayMs, statusEnd } from './http-retry.ts';
import type { TryEnd } from './http-retry.ts';
import { quotaOf, retryAfterMs } from './retry-after.ts';
import { delay } from './retry.ts';

interface Client {
  readonly options: HttpClientOptions;
  readonly base: URL;
  readonly exchange: Exchange;
  /** The same error without a secret. */
  clean(error: unknown): Error;
}

/** One request from its first try to its answer. */
interface Asking {
  readonly request: HttpRequest;
  readonly first: Sending;
  /** Credentials are renewed once, when they were refused. */
  renewal: 'not yet' | 'done' | { readonly refused: Credentials };
}

type Credentials = Readonly<Record<string, string>>;

/** An answer, or why to try again. */
type Tried = { readonly answer: HttpAnswer } | { readonly end: TryEnd };

const FREE: Turn = { end() {} };

/**
 * A client for one HTTP API. It is the one that retries a request; whoever gets its error need not. Nothing is opened before the first request.
 *
 * Of each try: credentials, then a turn of the limiter, then the exchange and whatever redirects follow. The turn is held until the body was read or
 * cancelled, so somebody who makes requests in the middle of reading a body needs `concurrency` for both.
 */
export function openHttpClient(options: HttpClientOptions): HttpClient {
  const exchange = openExchange(options.timeouts);
  const secrets = [...(options.secrets ?? [])].filter((secret) => secret !== '');
  const client: Client = { options, base: baseOf(options.baseUrl), exchange, clean: (error) => withoutSecrets(error, secrets) };
  return {
    async request(request) {
      try {
        return await answer(client, { request, first: firstSending(client.base, request), renewal: 'not yet' });
      } catch (error) {
        throw request.signal.aborted ? (request.signal.reason as Error) : client.clean(error);
      }
    },
    close: () => exchange.close(),
  };
}

async function answer(client: Client, asking: Asking): Promise<HttpAnswer> {
  const { retry, log } = client.options;
  const { request } = asking;
  for (let attempt = 1; ; attempt += 1) {
    const tried = await oneTry(client, asking);
    if ('answer' in tried) return tried.answer;
    const { fault } = tried.end;
    const delayMs = retryDelayMs(tried.end, attempt, retry, isIdempotent(request), Math.random());
    if (delayMs === null) throw fault;
    log.info({ code: fault.code, attempt, delayMs }, `${client.clean(fault).message}: trying again`);
    await delay(delayMs, request.signal);
  }
}

/** Sends once, follows redirects, and renews credentials that were refused. */
async function oneTry(client: Client, asking: Asking): Promise<Tried> {
  let sending = asking.first;
  for (let hops = 0; ;) {
    const credentials = await credentialsFor(client, asking, sending);
    const turn = await takeTurn(client, asking.request.signal);
    const raw = await exchanged(client, { sending, credentials, turn, signal: asking.request.signal });
    if ('end' in raw) return raw;
    note(client, raw);
    const end = statusEnd(raw.status, whereOf(sending), retryAfterMs(raw.headers, Date.now()));
    if (end !== null) {
      await drop(raw.stream);
      turn.end(end.ill ? end.fault : null);
      return { end };
    }
    const next = await nextSending(client, asking, { sending, credentials, raw, turn, hops });
    if (next === null) return { answer: opened(client, { sending, raw, turn, signal: asking.request.signal }) };
    hops += next === sending ? 0 : 1;
    sending = next;
  }
}

/** Where to send instead; the same place when only the credentials were renewed; `null`: this is the answer. */
async function nextSending(
  client: Client,
  asking: Asking,
  {
    sending,
    credentials,
    raw,
    turn,
    hops,
  }: { readonly sending: Sending; readonly credentials: Credentials; readonly raw: RawAnswer; readonly turn: Turn; readonly hops: number },
): Promise<Sending | null> {
  const renews = raw.status === 401 && asking.renewal === 'not yet' && client.options.authorize !== undefined && isOwn(client, sending);
  let next: Sending | null;
  try {
    next = renews ? sending : redirected(sending, raw.status, raw.headers['location'], hops);
  } catch (error) {
    raw.stream.destroy();
    turn.end();
    throw error;
  }
  if (next === null) return null;
  await drop(raw.stream);
  turn.end();
  if (renews) asking.renewal = { refused: credentials };
  return next;
}

async function exchanged(
  { exchange }: Client,
  { sending, credentials, turn, signal }: { sending: Sending; credentials: Credentials; turn: Turn; signal: AbortSignal },
): Promise<RawAnswer | { readonly end: TryEnd }> {
  try {
    return await exchange.send(sending, credentials, signal);
  } catch (error) {
    turn.end(error instanceof TryFault ? error.fault : null);
    if (!(error instanceof TryFault)) throw error;
    if (error.fault.code === 'E_CONFIG_INVALID') throw error.fault;
    return { end: { fault: error.fault, safe: !error.sent, ill: true } };
  }
}

/** Only the origin of the base gets credentials, and only as long as no redirect has led away from it. */
async function credentialsFor(client: Client, asking: Asking, sending: Sending): Promise<Credentials> {
  if (!isOwn(client, sending)) return {};
  const refused = typeof asking.renewal === 'string' ? null : asking.renewal.refused;
  if (refused !== null) asking.renewal = 'done';
  return (await client.options.authorize?.(asking.request.signal, { renew: refused !== null, refused })) ?? {};
}

function isOwn({ base }: Client, { url, strayed }: Sending): boolean {
  return !strayed && url.origin === base.origin;
}

function takeTurn({ options }: Client, signal: AbortSignal): Promise<Turn> {
  return options.limiter?.take(signal, options.retry.maxDelayMs) ?? Promise.resolve(FREE);
}

/** What the server says of its load, for all who use the connection. */
function note({ options: { limiter } }: Client, { status, headers }: RawAnswer): void {
  if (limiter === undefined) return;
  const wait = status === 429 || status === 503 ? retryAfterMs(headers, Date.now()) : null;
  if (wait !== null) limiter.pause(wait);
  const quota = quotaOf(headers, Date.now());
  if (quota !== null) limiter.slowDown(quota);
}

function opened(
  client: Client,
  { sending, raw, turn, signal }: { readonly sending: Sending; readonly raw: RawAnswer; readonly turn: Turn; readonly signal: AbortSignal },
): HttpAnswer {
  const { status, headers, stream } = raw;
  try {
    const body = openBody({
      stream,
      headers,
      empty: sending.method === 'HEAD' || status === 204 || status === 304 || headers['content-length'] === '0',
      where: whereOf(sending),
      maxBytes: client.options.maxBodyBytes,
      idleMs: client.options.timeouts.idleMs,
      signal,
      fault: client.clean,
      onEnd: (error) => turn.end(error),
    });
    return { status, headers, url: sending.url.href, ...body };
  } catch (error) {
    stream.destroy();
    turn.end();
    throw error;
  }
}

function whereOf({ method, url }: Sending): string {
  return `${method} ${addressText(url)}`;
}

function baseOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new TrueupError('E_CONFIG_INVALID', 'the address of an HTTP API must begin with https:// or http:// and name a host');
  if (url.username !== '' || url.password !== '')
    throw new TrueupError('E_CONFIG_INVALID', `${addressText(url)}: credentials do not belong into the address of an HTTP API`);
  if (url.search !== '' || url.hash !== '')
    throw new TrueupError('E_CONFIG_INVALID', `${addressText(url)}: a query or fragment does not belong into the address of an HTTP API`);
  return url;
}

function firstSending(base: URL, { method, url, headers = {}, body }: HttpRequest): Sending {
  const absolute = /^[a-z][a-z0-9+.-]*:/i.test(url);
  // '/items' is below the path of the base, which `new URL` alone would drop.
  const text = absolute ? url : below(base, url);
  if (!URL.canParse(text)) throw new TrueupError('E_CONFIG_INVALID', `${addressText(base)}: the address of a request below it is none`);
  const to = new URL(text);
  to.hash = '';
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return { url: to, method: method.toUpperCase(), headers: lower, body: body ?? null, strayed: false };
}

function below(base: URL, path: string): string {
  if (path === '' || path.startsWith('?')) return `${base.href}${path}`;
  return `${base.href.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`;
}

function withoutSecrets(error: unknown, secrets: readonly string[]): Error {
  const text = error instanceof Error ? error.message : String(error);
  const clean = secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text);
  if (error instanceof TrueupError)
    return clean === text ? error : new TrueupError(error.code, clean, { ...error.details, cause: undefined });
  if (error instanceof Error && clean === text) return error;
  return new Error(clean);
}
