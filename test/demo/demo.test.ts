import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DemoReport } from '../../src/demo/demo-report.ts';
import { findEmbeddedBinaries } from '../../src/demo/postgres-binaries.ts';
import { serverUser } from '../../src/demo/server-user.ts';
import { runTrueup, spawnTrueup } from '../processes.ts';

const hasBinaries = (await findEmbeddedBinaries(serverUser())) !== null;

/** Command lines of all processes that mention a folder. */
async function processesIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(folder)).map((line) => line.replaceAll('\0', ' '));
}

describe.skipIf(!hasBinaries || process.platform !== 'linux')('demo', { timeout: 300_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trueup-demo-test-'));
    await chmod(folder, 0o755);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('shows a first load with kill -9, late commits, a dead letter and a repair, and proves both sides equal', async () => {
    const { code, stdout, stderr } = await runTrueup(['demo', '--keep', '--json'], { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout) as DemoReport & { command: string };
    const { firstLoad, lateCommit, deadLetter, filled, incremental } = report;
    expect(report).toMatchObject({ command: 'demo', equal: true, filled: { customers: 20_000, orders: 200_000 } });
    expect(firstLoad.rowsAtKill).toBeGreaterThan(60_000);
    expect(firstLoad.rowsAtKill).toBeLessThan(220_000);
    expect(firstLoad.resumed.upserted).toBe(220_000 - firstLoad.rowsAtKill);
    expect(firstLoad.readTwice).toBe(0);
    // The late transaction was invisible to the run before it, lies below what that run read, and no plain cursor finds it.
    expect(lateCommit.stamp < lateCommit.newestBefore).toBe(true);
    expect(lateCommit).toMatchObject({ inArchiveBefore: 0, foundByPlainCursor: 0, inArchiveAfter: lateCommit.rows });
    expect(lateCommit.rows).toBeGreaterThanOrEqual(500);
    expect(incremental.updated).toBe(incremental.transactions * 3);
    expect(deadLetter).toMatchObject({ key: '4711', code: 'E_RECORD_VALUE', exitCode: 3, lettersAfterMending: 0 });
    expect(report.proof).toMatchObject({ damaged: 6, found: { missing: 2, extra: 1, different: 3 }, repaired: 6, writtenByRepair: 6 });
    expect(report.proof.why).toMatchObject({ key: '2002', verdict: 'different', field: 'total' });
    expect(report.deletes).toMatchObject({ rows: 5_000, deleted: 500, left: 4_500 });
    expect(report.comparison.map(({ table, rows, equal }) => ({ table, rows, equal }))).toEqual([
      { table: 'customers', rows: { shop: 20_000, archive: 20_000 }, equal: true },
      { table: 'orders', rows: { shop: filled.orders + incremental.inserted, archive: filled.orders + incremental.inserted }, equal: true },
    ]);
    expect(await processesIn(folder)).toEqual([]);
  });

  it('serves what it kept, for the commands that it names', async () => {
    const serve = spawnTrueup(['demo', '--serve'], { cwd: folder });
    await serve.waitForOutput(/Ctrl-C stops both servers/, 60_000);
    const run = await runTrueup(['run', '--json'], { cwd: join(folder, 'trueup-demo') });
    expect(JSON.parse(run.stdout)).toMatchObject({ status: 'succeeded', jobs: [{ job: 'shop-to-archive', epoch: 8 }] });
    serve.kill('SIGINT');
    expect(await serve.waitForExit(60_000)).toMatchObject({ code: 0, stdout: expect.stringMatching(/both servers stopped\n$/) as string });
    expect(await processesIn(folder)).toEqual([]);
  });

  it('overwrites no kept demo', async () => {
    const { code, stderr } = await runTrueup(['demo', '--keep'], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toContain('the folder trueup-demo/ is there already');
  });

  it('leaves nothing behind without --keep, also when it is stopped in the middle', async () => {
    const env = { TMPDIR: await mkdtemp(join(folder, 'tmp-')) };
    await chmod(env.TMPDIR, 0o755);
    const demo = spawnTrueup(['demo'], { cwd: folder, env });
    await demo.waitForOutput(/20,000 customers and 200,000 orders/, 120_000);
    demo.kill('SIGINT');
    expect((await demo.waitForExit(60_000)).code).toBe(130);
    expect((await readdir(env.TMPDIR)).filter((name) => name !== 'node-compile-cache')).toEqual([]);
    expect(await processesIn(env.TMPDIR)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)('says why a folder will not do for servers that must not run as root', async () => {
    const closed = await mkdtemp(join(tmpdir(), 'trueup-closed-'));
    const { code, stderr } = await runTrueup(['demo', '--keep'], { cwd: closed });
    await rm(closed, { recursive: true, force: true });
    expect(code).toBe(2);
    expect(stderr).toContain("'nobody'");
  });
});
