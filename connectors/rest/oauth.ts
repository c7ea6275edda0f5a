import { createHash } from 'node:crypto';
import { TrueupError, openHttpClient } from '../../src/sdk.ts';
import type { ConnectorContext, HttpClient, HttpClientOptions } from '../../src/sdk.ts';
import type { OAuth2Options } from './auth-options.ts';
import { askForToken } from './token-request.ts';
import type { Grant, Tokens } from './token-request.ts';

/*
 * Access tokens by OAuth 2. One request for a token at a time in this process. A refresh token that the server replaces by a new one is used by one process at
 * a time: under the lock of the vault, in which the new one is durable before what was got with it is used.
 */

/** A token is renewed so long before it runs out. */
const EARLY_MS = 30_000;
/** And no later than after this share of its life. */
const EARLY_SHARE = 0.8;
const SCHEME = 'Bearer ';

export interface OAuth {
  readonly headers: NonNullable<HttpClientOptions['authorize']>;
  close(): Promise<void>;
}

/** What the vault keeps. `from`: the configured refresh token that it goes back to, as a hash; another one in the config starts anew. */
interface Kept {
  readonly from: string;
  readonly refreshToken: string;
  readonly accessToken: string;
  readonly staleAtMs: number;
}

type Access = Pick<Kept, 'accessToken' | 'staleAtMs'>;

/** @param keepSecret told of every token, so that none is ever shown */
export function openOAuth(options: OAuth2Options, context: ConnectorContext, keepSecret: (token: string) => string): OAuth {
  let client: HttpClient | null = null;
  let current: Access | null = null;
  let asking: { readonly signal: AbortSignal; readonly token: Promise<Access> } | null = null;

  const ask = (grant: Grant, signal: AbortSignal): Promise<Tokens> => {
    client ??= openHttpClient({
      baseUrl: options.tokenUrl,
      timeouts: { connectMs: 10_000, headersMs: 30_000, idleMs: 30_000 },
      maxBodyBytes: 2 ** 20,
      retry: { attempts: 3, maxDelayMs: 10_000 },
      secrets: [options.clientSecret, options.refreshToken].filter((secret) => secret !== undefined),
      log: context.log,
    });
    return askForToken(client, options, grant, signal);
  };

  const forClient = async (signal: AbortSignal): Promise<Access> => accessOf(await ask({ by: 'client' }, signal));

  /** @param refused the token that the server did not accept */
  async function refreshed(first: string, refused: string | null, signal: AbortSignal): Promise<Access> {
    const from = createHash('sha256').update(`${options.tokenUrl}\n${options.clientId}\n${first}`).digest('hex');
    if (context.vault === undefined)
      throw new TrueupError(
        'E_CONFIG_INVALID',
        `connection '${context.connection}': there is no place to keep refresh tokens in, so that one that is replaced would be lost`,
      );
    return context.vault.withSecret(`oauth2:${context.connection}`, signal, async (secret) => {
      const kept = readKept(secret.read(), from);
      // Another process may have been faster.
      if (kept !== null && kept.accessToken !== refused && kept.staleAtMs > Date.now()) return keptAccess(kept);
      const used = kept?.refreshToken ?? first;
      keepSecret(used);
      const tokens = await ask({ by: 'refresh', refreshToken: used }, signal);
      const access = accessOf(tokens);
      secret.keep(JSON.stringify({ from, refreshToken: keepSecret(tokens.refreshToken ?? used), ...access } satisfies Kept));
      return access;
    });
  }

  function accessOf({ accessToken, expiresInMs }: Tokens): Access {
    const lifeMs = expiresInMs ?? Infinity;
    const staleAtMs = lifeMs === Infinity ? Number.MAX_SAFE_INTEGER : Date.now() + Math.max(lifeMs - EARLY_MS, lifeMs * EARLY_SHARE);
    return { accessToken: keepSecret(accessToken), staleAtMs };
  }

  function keptAccess({ accessToken, staleAtMs }: Kept): Access {
    return { accessToken: keepSecret(accessToken), staleAtMs };
  }

  return {
    headers: async (signal, how) => {
      // Of requests that were refused together the first renews; the others have another token by then.
      const refused = how.refused?.['authorization']?.slice(SCHEME.length) ?? null;
      if (current !== null && (current.accessToken === refused || current.staleAtMs <= Date.now())) current = null;
      const first = options.refreshToken;
      // The signal is that of whoever asked first; others who waited for it ask again themselves when it was aborted.
      while (current === null) {
        signal.throwIfAborted();
        asking ??= {
          signal,
          token: (first === undefined ? forClient(signal) : refreshed(first, refused, signal)).finally(() => (asking = null)),
        };
        const { signal: theirs, token } = asking;
        try {
          current = await token;
        } catch (error) {
          if (signal.aborted || !theirs.aborted) throw error;
        }
      }
      return { authorization: SCHEME + current.accessToken };
    },
    close: async () => client?.close(),
  };
}

function readKept(text: string | null, from: string): Kept | null {
  if (text === null) return null;
  const kept = JSON.parse(text) as Kept;
  return kept.from === from ? kept : null;
}
