import { TrueupError, defineConnector, pagedSource, z } from 'trueup/sdk';

export default defineConnector({
  name: 'tracker',
  summary: 'Issues of a tracker with a JSON API: GET /issues?since=…&limit=… answers { items, next }.',
  options: z.strictObject({
    url: z.url().meta({ description: 'Address of the tracker.' }),
    token: z.string().meta({ description: 'API token.', secret: true }),
    limit: z.int().positive().default(500).meta({ description: 'Issues a page.' }),
    pollMs: z.int().positive().default(10_000).meta({ description: 'How often to look for changes while following (ms).' }),
  }),
  cursorVersion: 1,
  openSource: ({ url, token, limit, pollMs }) =>
    pagedSource({
      identity: `tracker:${new URL(url).host}`,
      pollMs,
      streams: {
        issues: {
          key: ['id'],
          fields: { id: 'int64', title: 'text', points: 'decimal', tags: { list: 'text' }, changed: 'timestamptz' },
          // True of an API that lists changes, deletes among them, in the order in which they were committed. Where it sorts by a time stamp instead, read on
          // a little before the last one and say `within-lookback`; without either, leave it out.
          guarantee: {
            lateCommits: 'delivered',
            deletes: 'delivered',
            assumes: ['the tracker lists changes in the order in which they were committed'],
          },
        },
      },
      async page(stream, after, signal) {
        const address = new URL(`/${stream}?limit=${limit}`, url);
        if (after !== null) address.searchParams.set('since', after as string);
        const response = await fetch(address, {
          headers: { authorization: `Bearer ${token}` },
          signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
        });
        if (response.status === 401 || response.status === 403)
          throw new TrueupError('E_ACCESS', `The tracker refuses the token (${response.status}).`);
        if (!response.ok) throw new TrueupError('E_BUSY', `The tracker answered ${response.status}.`);
        const { items, next } = (await response.json()) as { items: { id: number; deleted: boolean }[]; next: string };
        return {
          rows: items.filter((item) => !item.deleted),
          deleted: items.filter((item) => item.deleted),
          more: items.length === limit,
          cursor: next,
        };
      },
    }),
});
