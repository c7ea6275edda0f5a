import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { RunReport } from '../../../src/pipeline/report/report.ts';
import { runTrueup, spawnTrueup } from '../../processes.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { startApi } from './api-server.ts';
import type { ApiServer } from './api-server.ts';

const CONFIG = (url: string): string => `connections:
  api:
    connector: rest
    url: ${url}
    auth: { bearer: "\${API_TOKEN}" }
    streams:
      items:
        path: /items
        query: { limit: 20 }
        records: data
        key: [id]
        fields: { id: int64, label: text, total: decimal, updated_at: timestamptz }
        pages: { by: cursor, param: cursor, next: meta.next }
        changes: { param: since, field: updated_at }
        get: { path: "/items/{id}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
defaults: { batch: { rows: 20 } }
jobs:
  items:
    source: api
    target: copy
    streams:
      - { from: items, to: public.items, deletes: { compare: { maxShare: 1 } } }
`;
const TOKEN = 'a token that nobody may see';

describeWithPostgres('runs from an API into PostgreSQL', () => {
  it('load, find what changed and what is gone, and verify agrees', async () => {
    const { api, target, trueup } = await setUp();
    fill(api, 100);
    expect(await trueup('run')).toMatchObject({
      code: 0,
      report: {
        jobs: [{ guarantee: { lateCommits: 'lost', deletes: 'by-compare' }, streams: [{ read: 100, upserted: 100, caughtUp: true }] }],
      },
    });

    api.write('items', [{ id: 7, label: 'changed', total: '7.0000000000000000001' }]);
    api.remove('items', [8, 9]);
    const second = await trueup('run');
    expect(second).toMatchObject({ code: 0, report: { jobs: [{ streams: [{ upserted: 1, deleted: 2 }] }] } });
    expect(await target.query('select count(*)::int as count, max(total)::text as total from items where id = 7 or id in (8, 9)')).toEqual([
      { count: 1, total: '7.0000000000000000001' },
    ]);

    expect(await trueup('verify', 'items')).toMatchObject({ code: 0, report: { consistent: true } });
    await target.query("update items set label = 'planted' where id = 50");
    expect(await trueup('verify', 'items')).toMatchObject({ code: 4, report: { streams: [{ different: 1 }] } });
    expect(await trueup('verify', 'items', '--repair')).toMatchObject({ code: 0 });
    expect(await target.query('select label from items where id = 50')).toEqual([{ label: 'item 50' }]);
    const why = await trueup('why', 'items', 'items', '50');
    expect(why).toMatchObject({ code: 0, report: { verdict: 'equal' } });
    expect(`${second.stdout}${second.stderr}${why.stdout}`).not.toContain(TOKEN);
  }, 300_000);

  it('go on where they were killed, in the middle of the pages', async () => {
    const { api, target, env, dir, trueup } = await setUp();
    fill(api, 400);
    let slow = true;
    api.twists.push(async ({ url }) => {
      if (slow && url.searchParams.has('cursor')) await sleep(60);
      return false;
    });
    for (let kill = 1; kill <= 3; kill++) {
      const before = await count(target);
      const process = spawnTrueup(['run', '--json'], { cwd: dir, env });
      const deadline = Date.now() + 60_000;
      while ((await count(target)) < before + 40 && Date.now() < deadline) await sleep(20);
      process.kill('SIGKILL');
      await process.waitForExit();
    }
    const loaded = await count(target);
    expect(loaded).toBeGreaterThanOrEqual(120);
    expect(loaded).toBeLessThan(400);
    slow = false;
    const asked = api.asked.length;
    expect(await trueup('run')).toMatchObject({ code: 0 });
    // It goes on behind the pages that are there, and reads the whole once more for what changed meanwhile.
    expect(
      api.asked
        .slice(asked)
        .find(({ url }) => url.pathname === '/items' && url.searchParams.get('limit') === '20' && url.searchParams.has('cursor'))
        ?.url.searchParams.get('cursor'),
    ).not.toBe('c20');
    expect(await count(target)).toBe(400);
    expect(await trueup('verify', 'items')).toMatchObject({ code: 0, report: { consistent: true } });
  }, 300_000);

  async function setUp() {
    const api = await startApi({ agoMs: 10_000 });
    api.twists.push(({ headers }, response) => {
      if (headers.authorization === `Bearer ${TOKEN}`) return false;
      response.writeHead(401).end();
      return true;
    });
    const target = await createDatabase('rest');
    const dir = await mkdtemp(join(tmpdir(), 'trueup-rest-'));
    onTestFinished(async () => {
      await api.close();
      await target.drop();
      await rm(dir, { recursive: true });
    });
    await writeFile(join(dir, 'trueup.yaml'), CONFIG(api.url));
    const env = { COPY_URL: target.url, API_TOKEN: TOKEN };
    const trueup = async (...args: string[]) => {
      const exit = await runTrueup([...args, '--json'], { cwd: dir, env });
      return { ...exit, report: (exit.stdout === '' ? exit.stderr : JSON.parse(exit.stdout)) as RunReport };
    };
    return { api, target, dir, env, trueup };
  }

  async function count(target: Awaited<ReturnType<typeof createDatabase>>): Promise<number> {
    const [row] = await target.query(
      "select case when to_regclass('public.items') is null then 0 else (xpath('/row/c/text()', query_to_xml('select count(*) as c from items', false, true, '')))[1]::text::int end as count",
    );
    return Number(row?.['count']);
  }
});

function fill(api: ApiServer, count: number): void {
  api.write(
    'items',
    Array.from({ length: count }, (_, index) => ({ id: index + 1, label: `item ${index + 1}`, total: `${index}.50` })),
  );
}
