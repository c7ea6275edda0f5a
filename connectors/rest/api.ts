import { TrueupError, openHttpClient } from '../../src/sdk.ts';
import type { ConnectorContext, HttpAnswer, HttpClient } from '../../src/sdk.ts';
import { openAuthorizer } from './authorize.ts';
import { shownUrl } from './endpoint.ts';
import type { Asking } from './endpoint.ts';
import type { RestOptions } from './options.ts';

/** Requests to the one API of a connection. */
export interface Api {
  readonly baseUrl: string;
  /** An answer of any status; see `refuseStatus`. */
  ask(asking: Asking, how: { readonly signal: AbortSignal; readonly idempotent?: boolean }): Promise<HttpAnswer>;
  /** An address of the API itself, without the key that it may repeat. Throws E_ANSWER for another host. */
  ownUrl(url: string, asked: string): string;
  close(): Promise<void>;
}

const RETRY = { attempts: 5, maxDelayMs: 30_000 };

export function openApi(options: RestOptions, context: ConnectorContext): Api {
  const authorizer = openAuthorizer(options, context);
  let client: HttpClient | null = null;
  const opened = (): HttpClient =>
    (client ??= openHttpClient({
      baseUrl: options.url,
      timeouts: { connectMs: options.timeouts.connect, headersMs: options.timeouts.headers, idleMs: options.timeouts.idle },
      maxBodyBytes: options.maxBodyBytes,
      limiter: context.limiter,
      retry: RETRY,
      authorize: authorizer.headers ?? undefined,
      secrets: authorizer.secrets,
      log: context.log,
    }));
  return {
    baseUrl: options.url,
    ask: ({ method, url, headers, body }, { signal, idempotent }) =>
      opened().request({
        method,
        url: authorizer.address(url),
        headers,
        ...(body === null ? {} : { body }),
        ...(idempotent === undefined ? {} : { idempotent }),
        signal,
      }),
    ownUrl: (url, asked) => {
      const [own, next] = [new URL(options.url), new URL(url)];
      if (own.origin !== next.origin)
        throw new TrueupError(
          'E_ANSWER',
          `${asked}: the next page is at ${next.origin}, but the connection is to ${own.origin}; nothing is asked of another host. Name that address as \`url\` if it is the same API.`,
        );
      return authorizer.withoutKey(url);
    },
    close: async () => {
      await client?.close();
      await authorizer.close();
    },
  };
}

/** Statuses that say that something is not there. */
export function isAbsent({ status }: HttpAnswer): boolean {
  return status === 404 || status === 410;
}

/** Throws for every status that is no success. */
export function refuseStatus(answer: HttpAnswer, asked: string): void {
  const { status } = answer;
  if (status >= 200 && status < 300) return;
  answer.cancel();
  if (status === 401 || status === 403)
    throw new TrueupError(
      'E_ACCESS',
      `${asked}: the server answers ${status}${status === 401 ? ': it does not accept the credentials' : ': the credentials may not do this'}`,
    );
  if (isAbsent(answer)) throw new TrueupError('E_STREAM_UNKNOWN', `${asked}: the server answers ${status}: there is no such endpoint`);
  if (status >= 500) throw new TrueupError('E_BUSY', `${asked}: the server answers ${status}`);
  throw new TrueupError(
    'E_CONFIG_INVALID',
    `${asked}: the server answers ${status} and so does not understand the request. Check path, query, headers and body of the stream.`,
  );
}

/** `GET https://crm.example/items`. */
export function askedText({ method, url }: Pick<Asking, 'method' | 'url'>): string {
  return `${method} ${shownUrl(url)}`;
}
