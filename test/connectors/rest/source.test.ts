import { describe, expect, it } from 'vitest';
import { typeText } from '../../../src/sdk.ts';
import { send, startApi } from './api-server.ts';
import type { ApiServer } from './api-server.ts';
import { NEVER, drain, openSource, rowsOf, streamRef } from './rest-kit.ts';
import type { Logged } from './rest-kit.ts';

const SNAPSHOT = { changes: { by: 'snapshot' as const } };

describe('a stream with a parent', () => {
  const streams = {
    projects: { path: '/projects', records: 'data', key: ['id'], pages: { by: 'cursor', param: 'cursor', next: 'meta.next' } },
    tasks: {
      path: '/projects/{id}/tasks',
      records: 'data',
      key: ['project', 'id'],
      fields: { project: { type: 'int64', parent: 'id' }, id: 'int64', title: 'text', updated_at: 'timestamptz' },
      pages: { by: 'page', param: 'page' },
      parent: { stream: 'projects' },
      changes: { param: 'since', field: 'updated_at' },
    },
  };
  const ref = streamRef('tasks', { key: ['project', 'id'] });

  it('is read for each of its parents, and resumed after any batch without loss', async () => {
    await withApi(async (api) => {
      planted(api);
      const all = await withSource(api, streams, (source) => drain(source, ref, null, { batchRows: 4 }));
      const keys = (rows: typeof all.rows): string[] =>
        [...new Set(rows.map(({ project, id }) => `${project as bigint}/${id as bigint}`))].sort();
      expect(all.rows).toHaveLength(23 * 3);
      expect(keys(all.rows)).toHaveLength(23 * 3);
      for (const [index, { cursor }] of all.batches.entries()) {
        if (cursor === null || index % 5 !== 0) continue;
        const rest = await withSource(api, streams, (source) => drain(source, ref, JSON.parse(JSON.stringify(cursor)) as typeof cursor));
        const before = all.batches.slice(0, index + 1).flatMap((batch) => rowsOf([batch]));
        expect(keys([...before, ...rest.rows]), `after batch ${index + 1}`).toEqual(keys(all.rows));
      }
    });
  });

  it('asks every parent for what changed, and goes on where a parent is gone', async () => {
    await withApi(async (api) => {
      planted(api);
      const first = await withSource(api, streams, (source) => drain(source, ref));
      api.write('tasks', [{ id: 700, parent_id: 7, title: 'new' }]);
      api.remove('projects', [3]);
      const second = await withSource(api, streams, (source) => drain(source, ref, first.cursor));
      expect(second.rows.filter(({ title }) => title === 'new')).toMatchObject([{ project: 7n, id: 700n }]);
      expect(second.rows.length).toBeLessThan(23 * 3);
    });
  });

  it('asks one at a time, so that a connection for one request is enough', async () => {
    await withApi(async (api) => {
      planted(api);
      let open = 0;
      let most = 0;
      const limiter = {
        take: async () => {
          open += 1;
          most = Math.max(most, open);
          return { end: () => void (open -= 1) };
        },
        pause: () => {},
        slowDown: () => {},
      };
      const source = openSource(api.url, { streams }, [], { limiter });
      await drain(source, ref);
      await source.close();
      expect({ most, open }).toEqual({ most: 1, open: 0 });
    });
  });

  it('is refused where its path is wrong for every parent', async () => {
    await withApi(async (api) => {
      planted(api);
      const wrong = { ...streams, tasks: { ...streams.tasks, path: '/nothing/{id}/tasks' } };
      await expect(withSource(api, wrong, (source) => drain(source, ref))).rejects.toMatchObject({
        code: 'E_STREAM_UNKNOWN',
        message: expect.stringContaining('404 for every one of 23') as string,
      });
    });
  });

  function planted(api: ApiServer): void {
    for (let project = 1; project <= 23; project++) {
      api.write('projects', [{ id: project, name: `project ${project}` }]);
      api.write(
        'tasks',
        [1, 2, 3].map((task) => ({ id: project * 10 + task, parent_id: project, title: `task ${task}` })),
      );
    }
  }
});

describe('fields that are not declared', () => {
  it('are inferred, every digit kept, and a new one makes a new shape', async () => {
    await withApi(async (api) => {
      const items = { path: '/items', records: 'data', key: ['id'] };
      api.write('items', [{ id: 1, total: '1.50', tags: ['a'], nothing: null }]);
      api.twists.push((asked, response) => {
        if (asked.url.pathname !== '/raw') return false;
        response.writeHead(200, { 'content-type': 'application/json' }).end('[{"id":9007199254740993,"price":0.10000000000000000001}]');
        return true;
      });
      await withSource(api, { items, raw: { path: '/raw', key: ['id'] } }, async (source) => {
        const infos = await source.discover(NEVER);
        expect(infos.map(({ name, shape }) => [name, shape.fields.map((field) => `${field.name} ${typeText(field.type)}`)])).toEqual([
          ['items', ['id int64', 'total text', 'tags json', 'updated_at timestamptz']],
          ['raw', ['id int64', 'price decimal']],
        ]);
        const raw = await Array.fromAsync(source.scan?.(streamRef('raw', SNAPSHOT), NEVER) ?? []);
        expect(rowsOf(raw)).toEqual([{ id: 9007199254740993n, price: '0.10000000000000000001' }]);

        const before = await source.plan([streamRef('items', SNAPSHOT)], NEVER);
        api.write('items', [{ id: 2, total: '2', nothing: 'something' }]);
        const [batch] = await Array.fromAsync(source.scan?.(streamRef('items', SNAPSHOT), NEVER) ?? []);
        expect(before.streams[0]?.shape.fields.map(({ name }) => name)).not.toContain('nothing');
        expect(batch?.shape.fields.map(({ name }) => name)).toContain('nothing');
        expect((await source.plan([streamRef('items', SNAPSHOT)], NEVER)).streams[0]?.shape).toEqual(batch?.shape);
      });
    });
  });

  it('are none where a stream cannot be asked, and the others are found', async () => {
    await withApi(async (api) => {
      api.write('items', [{ id: 1 }]);
      const logged: Logged[] = [];
      const streams = {
        items: { path: '/items', records: 'data', key: ['id'] },
        wrong: { path: '/items/77/x', key: ['id'] },
        shape: { path: '/items', key: ['id'] },
      };
      const source = openSource(api.url, { streams }, logged);
      const infos = await source.discover(NEVER);
      await source.close();
      expect(infos.map(({ name, shape }) => [name, shape.fields.length])).toEqual([
        ['items', 2],
        ['wrong', 0],
        ['shape', 0],
      ]);
      expect(logged.filter(({ level }) => level === 'warn').map(({ fields }) => fields['code'])).toEqual([
        'E_STREAM_UNKNOWN',
        'E_STREAM_UNKNOWN',
      ]);
    });
  });
});

it('reads GraphQL by configuration alone', async () => {
  await withApi(async (api) => {
    const issues = Array.from({ length: 25 }, (_, index) => ({
      id: `I_${index + 1}`,
      title: `issue ${index + 1}`,
      author: { login: index % 2 === 0 ? 'ann' : 'bob' },
      updatedAt: `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`,
    }));
    const bodies: { query: string; variables: Record<string, unknown> }[] = [];
    api.twists.push(({ method, url, body }, response) => {
      if (method !== 'POST' || url.pathname !== '/graphql') return false;
      const asked = JSON.parse(body) as (typeof bodies)[number];
      bodies.push(asked);
      const { after, first, since } = asked.variables as { after?: string; first: number; since?: string };
      const found = issues.filter(({ updatedAt }) => since === undefined || updatedAt >= since);
      const from = after === undefined ? 0 : found.findIndex(({ id }) => id === after) + 1;
      const nodes = found.slice(from, from + first);
      const pageInfo = { hasNextPage: from + first < found.length, endCursor: nodes.at(-1)?.id ?? null };
      send(response, 200, { data: { repository: { issues: { pageInfo, nodes } } } });
      return true;
    });
    const query =
      'query ($first: Int!, $after: String, $since: DateTime) { repository { issues(first: $first, after: $after, since: $since) { pageInfo { hasNextPage endCursor } nodes { id title author { login } updatedAt } } } }';
    const streams = {
      issues: {
        path: '/graphql',
        method: 'POST',
        body: { query, variables: { first: 10 } },
        records: 'data.repository.issues.nodes',
        errors: 'errors',
        key: ['id'],
        fields: { id: 'text', title: 'text', author: { type: 'text', from: 'author.login' }, updatedAt: 'timestamptz' },
        pages: {
          by: 'cursor',
          in: 'body',
          param: 'variables.after',
          next: 'data.repository.issues.pageInfo.endCursor',
          more: 'data.repository.issues.pageInfo.hasNextPage',
        },
        changes: { in: 'body', param: 'variables.since', field: 'updatedAt' },
      },
    };
    const ref = streamRef('issues', { changes: { by: 'cursor', field: 'updatedAt' } });
    await withSource(api, streams, async (source) => {
      const first = await drain(source, ref);
      expect(first.rows.map(({ id }) => id)).toEqual(issues.map(({ id }) => id));
      expect(first.rows[1]?.['author']).toBe('bob');
      expect(bodies.map(({ variables }) => variables['after'])).toEqual([undefined, 'I_10', 'I_20']);
      expect(bodies.every((body) => body.query === query)).toBe(true);
      const second = await drain(source, ref, first.cursor);
      expect(second.rows.map(({ id }) => id)).toEqual(['I_25']);

      api.twists.unshift((_asked, response) => {
        send(response, 200, { data: null, errors: [{ message: 'no', extensions: { code: 'FORBIDDEN' } }] });
        return true;
      });
      await expect(drain(source, ref)).rejects.toMatchObject({ code: 'E_ANSWER', message: expect.stringContaining('FORBIDDEN') as string });
    });
  });
});

describe('the plan of a stream', () => {
  const items = { path: '/items', records: 'data', key: ['id'], fields: { id: 'int64', n: 'int64', j: 'json', updated_at: 'timestamptz' } };
  const planned = async (streams: object, more: Parameters<typeof streamRef>[1] = {}): Promise<unknown> =>
    withApi((api) =>
      withSource(api, streams, async (source) =>
        (await source.plan([streamRef('items', more)], NEVER)).streams[0]?.problems.map(({ code }) => code),
      ),
    );

  it('says what cannot be', async () => {
    const changes = { param: 'since', field: 'updated_at' };
    expect(await planned({ items: { ...items, changes } })).toEqual([]);
    expect(await planned({ items })).toEqual(['E_CHANGES_UNSUPPORTED']);
    expect(await planned({ items }, SNAPSHOT)).toEqual([]);
    expect(await planned({ items: { ...items, changes } }, { changes: { by: 'cursor', field: 'n' } })).toEqual(['E_CHANGES_UNSUPPORTED']);
    expect(await planned({ items: { ...items, changes } }, { changes: { by: 'log' } })).toEqual(['E_CHANGES_UNSUPPORTED']);
    expect(
      await planned({ items: { ...items, changes: { param: 'since', field: 'j' } } }, { changes: { by: 'cursor', field: 'j' } }),
    ).toEqual(['E_CHANGES_UNSUPPORTED']);
    expect(
      await planned(
        { items: { ...items, changes: { param: 'since', field: 'n' } } },
        { changes: { by: 'cursor', field: 'n' }, lookbackMs: 1000 },
      ),
    ).toEqual(['E_CHANGES_UNSUPPORTED']);
    expect(await planned({ items: { ...items, key: [] } }, { ...SNAPSHOT, key: [] })).toEqual(['E_STREAM_KEY']);
    expect(await planned({ items }, { ...SNAPSHOT, where: { a: 1 } })).toEqual(['E_CHANGES_UNSUPPORTED']);
  });

  it('promises within the lookback where there is one', async () => {
    const changes = { param: 'since', field: 'updated_at' };
    await withApi((api) =>
      withSource(api, { items: { ...items, changes, pages: { by: 'page', param: 'page' } } }, async (source) => {
        const guarantee = async (lookbackMs?: number) =>
          (await source.plan([streamRef('items', lookbackMs === undefined ? {} : { lookbackMs })], NEVER)).streams[0]?.guarantee;
        expect(await guarantee()).toMatchObject({ lateCommits: 'lost', deletes: 'never' });
        expect(await guarantee(60_000)).toMatchObject({ lateCommits: 'within-lookback' });
        expect((await guarantee())?.assumes.join()).toContain('no record of items moves to an earlier page');
      }),
    );
  });

  it('reads the lookback again', async () => {
    await withApi(async (api) => {
      api.collections.set('items', new Map([['1', { id: 1, updated_at: '2026-01-01T10:00:00.123456Z' }]]));
      await withSource(api, { items: { ...items, changes: { param: 'since', field: 'updated_at' } } }, async (source) => {
        const ref = streamRef('items', { lookbackMs: 60_000 });
        const first = await drain(source, ref);
        await drain(source, ref, first.cursor);
        expect(api.asked.at(-1)?.url.searchParams.get('since')).toBe('2026-01-01T09:59:00.123456Z');
      });
    });
  });
});

async function withSource<Result>(
  api: ApiServer,
  streams: object,
  work: (source: ReturnType<typeof openSource>) => Promise<Result>,
): Promise<Result> {
  const source = openSource(api.url, { streams });
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

async function withApi<Result>(work: (api: ApiServer) => Promise<Result>): Promise<Result> {
  const api = await startApi();
  try {
    return await work(api);
  } finally {
    await api.close();
  }
}
