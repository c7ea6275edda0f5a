import type { ConnectorContext, HttpClientOptions } from '../../src/sdk.ts';
import { openOAuth } from './oauth.ts';
import type { RestOptions } from './options.ts';

/** How requests prove who asks. */
export interface Authorizer {
  /** `null`: nothing is sent in headers. */
  readonly headers: NonNullable<HttpClientOptions['authorize']> | null;
  /** What must not be shown; tokens are added as they come. */
  readonly secrets: ReadonlySet<string>;
  /** An address with the key that belongs into its query. */
  address(url: string): string;
  withoutKey(url: string): string;
  close(): Promise<void>;
}

export function openAuthorizer({ auth, url }: RestOptions, context: ConnectorContext): Authorizer {
  const secrets = new Set<string>();
  const same = (text: string): string => text;
  const none = { headers: null, secrets, address: same, withoutKey: same, close: async () => {} };
  if (auth === undefined) return none;
  const { apiKey, bearer, basic, oauth2 } = auth;
  const fixed = (headers: Readonly<Record<string, string>>): Authorizer => ({ ...none, headers: async () => headers });
  if (bearer !== undefined) return fixed({ authorization: `Bearer ${keep(secrets, bearer)}` });
  if (basic !== undefined) {
    const pair = Buffer.from(`${basic.user}:${keep(secrets, basic.password)}`, 'utf8').toString('base64');
    return fixed({ authorization: `Basic ${keep(secrets, pair)}` });
  }
  if (oauth2 !== undefined) {
    const oauth = openOAuth(oauth2, context, (token) => keep(secrets, token));
    return { ...none, headers: oauth.headers, close: oauth.close };
  }
  if (apiKey === undefined) return none;
  keep(secrets, apiKey.value);
  if ('header' in apiKey) return fixed({ [apiKey.header.toLowerCase()]: apiKey.value });
  const { origin } = new URL(url);
  const edit =
    (change: (to: URL) => void) =>
    (text: string): string => {
      const to = new URL(text);
      if (to.origin === origin) change(to);
      return to.href;
    };
  return {
    ...none,
    address: edit((to) => to.searchParams.set(apiKey.query, apiKey.value)),
    withoutKey: edit((to) => to.searchParams.delete(apiKey.query)),
  };
}

function keep(secrets: Set<string>, secret: string): string {
  secrets.add(secret);
  return secret;
}
