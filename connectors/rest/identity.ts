import type { RestOptions } from './options.ts';

/** Names the data: what the config says, else the address. */
export function identityOf({ identity, url }: RestOptions): string {
  const { origin, pathname } = new URL(url);
  return identity ?? `rest:${(origin + pathname).replace(/\/+$/, '')}`;
}
