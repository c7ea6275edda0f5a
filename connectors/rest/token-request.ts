import * as oauth from 'oauth4webapi';
import { TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { HttpClient } from '../../src/sdk.ts';
import type { OAuth2Options } from './auth-options.ts';
import { shownUrl } from './endpoint.ts';

export type Grant = { readonly by: 'client' } | { readonly by: 'refresh'; readonly refreshToken: string };

export interface Tokens {
  readonly accessToken: string;
  /** A new one in place of that which was used. */
  readonly refreshToken: string | null;
  /** `null`: the server does not say. */
  readonly expiresInMs: number | null;
}

/**
 * Asks a token endpoint (RFC 6749) once; what may be sent again is sent again by the client.
 *
 * @throws {TrueupError} `E_ACCESS` when the server refuses, `E_ANSWER` for an answer that is none
 */
export async function askForToken(client: HttpClient, options: OAuth2Options, grant: Grant, signal: AbortSignal): Promise<Tokens> {
  const server: oauth.AuthorizationServer = { issuer: new URL(options.tokenUrl).origin, token_endpoint: options.tokenUrl };
  const self: oauth.Client = { client_id: options.clientId };
  const request = {
    signal,
    [oauth.customFetch]: fetchWith(client, signal),
    [oauth.allowInsecureRequests]: isLoopback(options.tokenUrl),
  };
  const scope: Record<string, string> = options.scope === undefined ? {} : { scope: options.scope };
  const place = `POST ${shownUrl(options.tokenUrl)}`;
  try {
    if (grant.by === 'client') {
      const answer = await oauth.clientCredentialsGrantRequest(server, self, clientAuth(options), scope, request);
      refuse(answer, place);
      return tokensOf(await oauth.processClientCredentialsResponse(server, self, answer));
    }
    const answer = await oauth.refreshTokenGrantRequest(server, self, clientAuth(options), grant.refreshToken, {
      ...request,
      additionalParameters: scope,
    });
    refuse(answer, place);
    return tokensOf(await oauth.processRefreshTokenResponse(server, self, answer));
  } catch (error) {
    throw faultOf(error, place, signal);
  }
}

function clientAuth({ clientSecret, sendAs }: OAuth2Options): oauth.ClientAuth {
  if (clientSecret === undefined) return oauth.None();
  return sendAs === 'header' ? oauth.ClientSecretBasic(clientSecret) : oauth.ClientSecretPost(clientSecret);
}

function isLoopback(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** The library's requests through our client. A refresh token may be used up by a request whose answer was lost, so none is sent again once it was sent. */
function fetchWith(client: HttpClient, signal: AbortSignal): NonNullable<oauth.TokenEndpointRequestOptions[typeof oauth.customFetch]> {
  return async (url, { method, headers, body }) => {
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const text = body instanceof URLSearchParams ? body.toString() : undefined;
    const answer = await client.request({
      method,
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8', ...sent },
      ...(text === undefined ? {} : { body: text }),
      idempotent: false,
      signal,
    });
    return new Response(await answer.text(), { status: answer.status, headers: { 'content-type': answer.headers['content-type'] ?? '' } });
  };
}

/** Before the library reads a body that says more than may be shown. */
function refuse({ status }: Response, place: string): void {
  if (status >= 500) throw new TrueupError('E_BUSY', `${place}: the server of tokens answers ${status}`);
  if (status === 404) throw new TrueupError('E_ACCESS', `${place}: the server answers 404; check \`tokenUrl\``);
}

function tokensOf({ access_token, refresh_token, expires_in }: oauth.TokenEndpointResponse): Tokens {
  return {
    accessToken: access_token,
    refreshToken: refresh_token ?? null,
    expiresInMs: expires_in === undefined ? null : expires_in * 1000,
  };
}

function faultOf(error: unknown, place: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (isTrueupError(error)) return error;
  const what = 'Check clientId, clientSecret, scope and refreshToken.';
  if (error instanceof oauth.ResponseBodyError)
    return new TrueupError(
      'E_ACCESS',
      `${place}: no token is given out: ${/^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an error of the server'}. ${what}`,
    );
  if (error instanceof oauth.WWWAuthenticateChallengeError)
    return new TrueupError('E_ACCESS', `${place}: the server answers ${error.status} and does not accept this client. ${what}`);
  return new TrueupError('E_ANSWER', `${place}: the answer holds no token as OAuth 2 gives them out`);
}
