import { exactJsonText } from '../../src/sdk.ts';
import type { ExactJson } from '../../src/sdk.ts';
import { parsePath, withValueAt } from './json-path.ts';
import { fillBody, fillPath, fillText } from './template.ts';
import type { Fill } from './template.ts';
import type { Param } from './paging.ts';

/** Where a request goes and what it says, without what authenticates it. */
export interface Asking {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** An endpoint as a stream declares it. */
export interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | number | boolean>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ExactJson | undefined;
}

/**
 * @param at an address that the server gave for this page, whose query stands for all of the stream's; `null`: the stream's own
 * @throws {TrueupError} `E_RECORD_VALUE` for a name in the path that has no value
 */
export function asking(
  baseUrl: string,
  endpoint: Endpoint,
  how: { readonly fill: Fill; readonly params: readonly Param[]; readonly at: string | null },
): Asking {
  const { fill, params, at } = how;
  const url = new URL(at ?? baseUrl.replace(/\/+$/, '') + fillPath(endpoint.path, fill));
  if (at === null) {
    for (const [name, value] of Object.entries(endpoint.query)) url.searchParams.set(name, fillText(String(value), fill));
    for (const { name, value } of params.filter((param) => param.in === 'query')) url.searchParams.set(name, plainText(value));
  }
  const inBody = params.filter((param) => param.in === 'body');
  const hasBody = endpoint.body !== undefined || inBody.length > 0;
  let body: ExactJson = endpoint.body === undefined ? new Map() : fillBody(endpoint.body, fill);
  for (const { name, value } of inBody) body = withValueAt(body, parsePath(name), value);
  const headers = Object.fromEntries(Object.entries(endpoint.headers).map(([name, value]) => [name.toLowerCase(), fillText(value, fill)]));
  return {
    method: endpoint.method,
    url: url.href,
    headers: { accept: 'application/json', ...(hasBody ? { 'content-type': 'application/json' } : {}), ...headers },
    body: hasBody ? exactJsonText(body) : null,
  };
}

function plainText(value: ExactJson): string {
  return typeof value === 'string' ? value : exactJsonText(value);
}

/** What may be shown of an address: no query, no fragment, no credentials. */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
