import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import type { RunReport } from '../../src/pipeline/report/report.ts';
import { runTrueup } from '../processes.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';
import { startTracker } from './tracker-server.ts';
import type { Issue } from './tracker-server.ts';

const EXAMPLE = fileURLToPath(new URL('../../docs/examples/tracker.ts', import.meta.url));

describeWithPostgres('the example connector of the docs, in a folder of its own', () => {
  it('brings issues into Postgres, then only what changed, and a bad one as a dead letter until it is mended', async () => {
    const tracker = await startTracker();
    const target = await createDatabase('tracker');
    const dir = await mkdtemp(join(tmpdir(), 'trueup-tracker-'));
    onTestFinished(async () => {
      await tracker.close();
      await target.drop();
      await rm(dir, { recursive: true });
    });
    await copyFile(EXAMPLE, join(dir, 'tracker.ts'));
    await writeFile(
      join(dir, 'trueup.yaml'),
      `connections:
  tracker: { connector: ./tracker.ts, url: "${tracker.url}", token: "\${TRACKER_TOKEN}", limit: 40 }
  copy: { connector: postgres, url: "\${COPY_URL}" }
jobs:
  issues:
    source: tracker
    target: copy
    streams:
      - { from: issues, to: public.issues }
`,
    );
    const run = async (): Promise<{ code: number | null; report: RunReport; stderr: string }> => {
      const exit = await runTrueup(['run', '--json'], { cwd: dir, env: { COPY_URL: target.url, TRACKER_TOKEN: tracker.token } });
      return { code: exit.code, report: JSON.parse(exit.stdout) as RunReport, stderr: exit.stderr };
    };

    tracker.write(...Array.from({ length: 100 }, (_, index) => issue(index + 1)));
    const first = await run();
    expect(first).toMatchObject({ code: 0, report: { jobs: [{ streams: [{ read: 100, upserted: 100 }] }] } });

    tracker.write(issue(7, { title: 'changed' }), { id: 8, deleted: true }, issue(9, { points: 'many' }));
    const second = await run();
    expect(second).toMatchObject({ code: 3, report: { jobs: [{ streams: [{ read: 3, upserted: 1, deleted: 1, deadLettered: 1 }] }] } });

    tracker.write(issue(9, { points: '9.75' }));
    const third = await run();
    expect(third).toMatchObject({ code: 0, report: { jobs: [{ streams: [{ read: 1, upserted: 1, lettersResolved: 1 }] }] } });
    expect(`${first.stderr}${second.stderr}${third.stderr}`).not.toContain(tracker.token);
    expect(await target.query('select count(*)::int as count from issues')).toEqual([{ count: 99 }]);
    const rows = await target.query(
      "select id::text, title, points::text, tags, to_char(changed at time zone 'UTC', 'HH24:MI:SS.US') as changed from issues where id in (7, 8, 9) order by id",
    );
    expect(rows).toEqual([
      { id: '7', title: 'changed', points: '7.50', tags: ['a'], changed: '10:00:00.123456' },
      { id: '9', title: 'issue 9', points: '9.75', tags: ['a'], changed: '10:00:00.123456' },
    ]);
  }, 120_000);
});

function issue(id: number, change: object = {}): Issue {
  return { id, deleted: false, title: `issue ${id}`, points: `${id}.50`, tags: ['a'], changed: '2026-11-24T10:00:00.123456Z', ...change };
}
