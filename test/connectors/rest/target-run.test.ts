import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { runTrueup, spawnTrueup } from '../../processes.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { send, startApi } from './api-server.ts';

describeWithPostgres('runs from PostgreSQL into an API', () => {
  it('write every record though they are killed, leave what is refused as letters, and verify agrees', async () => {
    const api = await startApi();
    const source = await createDatabase('rest_source');
    const dir = await mkdtemp(join(tmpdir(), 'trueup-rest-'));
    onTestFinished(async () => {
      await api.close();
      await source.drop();
      await rm(dir, { recursive: true });
    });
    await source.query(
      'create table items (id int8 primary key, label text, total numeric, updated_at timestamptz not null default now())',
    );
    await source.query("insert into items select n, 'item ' || n, n + 0.50 from generate_series(1, 300) n");
    await writeFile(
      join(dir, 'trueup.yaml'),
      `connections:
  shop: { connector: postgres, url: "\${SHOP_URL}" }
  api:
    connector: rest
    url: ${api.url}
    streams:
      items:
        path: /items
        query: { limit: 100 }
        records: data
        key: [id]
        pages: { by: page, param: page }
        get: { path: "/items/{id}" }
        upsert: { path: "/items/{id}" }
        delete: { path: "/items/{id}" }
defaults: { batch: { rows: 20 } }
jobs:
  items:
    source: shop
    target: api
    streams:
      - { from: public.items, to: items, changes: { by: cursor, field: updated_at }, deletes: { compare: { maxShare: 1 } } }
`,
    );
    const env = { SHOP_URL: source.url };
    const trueup = async (...args: string[]) => {
      const exit = await runTrueup([...args, '--json'], { cwd: dir, env });
      return { code: exit.code, report: JSON.parse(exit.stdout) as unknown };
    };
    let slow = true;
    api.twists.push(async ({ method, body }, response) => {
      if (method !== 'PUT') return false;
      if (slow) await sleep(5);
      if (!body.includes('"item 290"')) return false;
      send(response, 422, {});
      return true;
    });
    const count = (): number => api.collections.get('items')?.size ?? 0;
    for (let kill = 1; kill <= 2; kill++) {
      const before = count();
      const process = spawnTrueup(['run', '--json'], { cwd: dir, env });
      const deadline = Date.now() + 100_000;
      while (count() < before + 60 && Date.now() < deadline) await sleep(10);
      process.kill('SIGKILL');
      await process.waitForExit();
    }
    expect(count()).toBeLessThan(299);
    slow = false;
    expect(await trueup('run')).toMatchObject({
      code: 3,
      report: {
        jobs: [{ checkpoints: 'state', guarantee: { delivery: 'at-least-once', staleWrites: 'possible' }, streams: [{ deadLettered: 1 }] }],
      },
    });
    expect(count()).toBe(299);
    await source.query('delete from items where id in (20, 21)');
    await source.query("update items set label = 'changed', updated_at = now() where id in (290, 30)");
    expect(await trueup('run')).toMatchObject({
      code: 0,
      report: { jobs: [{ streams: [{ upserted: 2, deleted: 2, lettersResolved: 1 }] }] },
    });
    expect(count()).toBe(298);
    expect(await trueup('verify', 'items')).toMatchObject({ code: 0, report: { consistent: true } });
  }, 300_000);
});
