import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RunFilter, RunRecord, StateStore } from '../../src/model/checkpoint.ts';
import { openMemoryState, openSqliteState } from '../../src/state/sqlite-state.ts';
import { ELSEWHERE, acquire, checkpointOf } from '../../src/testing/owners.ts';

const NEVER = new AbortController().signal;

describe('a state file', () => {
  it('is made on first use, in a folder that git ignores', async () => {
    const folder = await temporaryFolder();
    const store = opened(join(folder, '.trueup', 'state.db'));
    expect(await readdir(folder)).toEqual([]);
    await store.list(null, NEVER);
    expect(await readFile(join(folder, '.trueup', '.gitignore'), 'utf8')).toBe('*\n');
    expect((await stat(join(folder, '.trueup'))).mode & 0o077, 'access for others').toBe(0);
  });

  it('leaves a folder alone that was there before', async () => {
    const folder = await temporaryFolder();
    await opened(join(folder, 'state.db')).list(null, NEVER);
    expect(await readdir(folder)).not.toContain('.gitignore');
  });

  it('is durable at every commit', async () => {
    const file = join(await temporaryFolder(), 'state.db');
    await opened(file).list(null, NEVER);
    const database = new DatabaseSync(file);
    expect(database.prepare('pragma journal_mode').get()).toMatchObject({ journal_mode: 'wal' });
    database.close();
  });

  it('is refused when a newer trueup wrote it, and stays as it is', async () => {
    const file = join(await temporaryFolder(), 'state.db');
    await opened(file).list(null, NEVER);
    change(file, 'pragma user_version = 99');
    const before = await readFile(file);
    await expect(opened(file).list(null, NEVER)).rejects.toMatchObject({
      code: 'E_STATE',
      message: expect.stringMatching(/version 99.*newer trueup/) as unknown,
    });
    expect((await readFile(file)).equals(before)).toBe(true);
  });

  it('is refused when another program wrote it, and stays as it is', async () => {
    const file = join(await temporaryFolder(), 'state.db');
    change(file, 'create table theirs (a)');
    const before = await readFile(file);
    await expect(opened(file).list(null, NEVER)).rejects.toMatchObject({
      code: 'E_STATE',
      message: expect.stringContaining('another program') as unknown,
    });
    expect((await readFile(file)).equals(before)).toBe(true);
  });

  it('is refused when it is damaged, with what to do', async () => {
    const file = join(await temporaryFolder(), 'state.db');
    await writeFile(file, 'this is no database, and long enough not to look like an empty one'.repeat(100));
    const error = await opened(file)
      .list(null, NEVER)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'E_STATE',
      fault: 'access',
      message: expect.stringMatching(/state\.db is damaged/) as unknown,
      details: { hint: expect.stringContaining('move it away') as unknown },
    });
  });

  it('is refused when its pages were overwritten, and never read as if they held less', async () => {
    const file = join(await temporaryFolder(), 'state.db');
    const store = openSqliteState(file);
    const owner = await acquire(store, 'orders', 'run-1');
    await store.save(
      owner,
      { checkpoints: Array.from({ length: 300 }, (_, index) => checkpointOf(owner, `feed ${index}`, 'x'.repeat(500))) },
      NEVER,
    );
    await store.close();
    const bytes = await readFile(file);
    bytes.fill(0xab, 8192, bytes.length - 4096);
    await writeFile(file, bytes);
    await expect(opened(file).list(null, NEVER)).rejects.toMatchObject({ code: 'E_STATE' });
  });

  it('is refused where it cannot be made', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    await mkdir(join(folder, 'folder.db'));
    for (const path of [join(folder, 'file', 'state.db'), join(folder, 'folder.db')]) {
      await expect(opened(path).list(null, NEVER)).rejects.toMatchObject({
        code: 'E_STATE',
        message: expect.stringContaining(path) as unknown,
      });
    }
  });

  it.skipIf(process.platform === 'win32')('is refused where this user may not write', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'closed'), { mode: 0o555 });
    await asAnyone(folder, async () => {
      const error = await opened(join(folder, 'closed', 'state.db'))
        .list(null, NEVER)
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'E_STATE', details: { hint: expect.stringContaining('write access') as unknown } });
    });
  });
});

describe('leases in a state file, when the clock jumps', () => {
  it('refuses an owner whose lease ran out by a jump forward and was taken over', async () => {
    const clock = { now: 1_700_000_000_000 };
    const store = openMemoryState({ now: () => clock.now });
    const owner = await acquire(store, 'orders', 'run-1', { process: ELSEWHERE });
    clock.now += 3_600_000;
    // Nobody took over yet, so it may go on.
    await store.renew(owner, NEVER);
    clock.now += 3_600_000;
    await acquire(store, 'orders', 'run-2');
    await expect(store.save(owner, { checkpoints: [checkpointOf(owner, 'changes:a', 'x')] }, NEVER)).rejects.toMatchObject({
      code: 'E_FENCED',
    });
    expect(await store.list(null, NEVER)).toEqual([]);
    await store.close();
  });

  it('keeps a job no longer than the term of its lease after a jump back', async () => {
    const clock = { now: 1_700_000_000_000 };
    const store = openMemoryState({ now: () => clock.now });
    await acquire(store, 'orders', 'run-1', { process: ELSEWHERE, ttlMs: 30_000 });
    clock.now -= 86_400_000;
    await expect(acquire(store, 'orders', 'run-2')).rejects.toMatchObject({ code: 'E_OWNED' });
    clock.now += 29_000;
    await expect(acquire(store, 'orders', 'run-2')).rejects.toMatchObject({ code: 'E_OWNED' });
    clock.now += 1_000;
    expect(await acquire(store, 'orders', 'run-2')).toMatchObject({ epoch: 2 });
    await store.close();
  });
});

describe('the history of runs', () => {
  it('lists the newest first, by job, and keeps as many of each job as asked', async () => {
    const store = opened(join(await temporaryFolder(), 'state.db'));
    for (const [index, job] of ['a', 'b', 'a', 'a', 'b'].entries()) await store.runs.save(runOf(job, index), NEVER);
    expect(await runsOf(store, {})).toEqual(['b 4', 'a 3', 'a 2', 'b 1', 'a 0']);
    expect(await runsOf(store, { job: 'a' })).toEqual(['a 3', 'a 2', 'a 0']);
    expect(await runsOf(store, { limit: 2 })).toEqual(['b 4', 'a 3']);
    await store.runs.save({ ...runOf('a', 5), command: 'verify' }, NEVER);
    expect(await runsOf(store, { job: 'a', commands: ['verify'] })).toEqual(['a 5']);
    expect(await runsOf(store, { commands: ['run', 'backfill'], limit: 1 })).toEqual(['b 4']);
    await store.runs.prune(3, NEVER);
    expect(await runsOf(store, {})).toEqual(['a 5', 'b 4', 'a 3', 'a 2', 'b 1']);
  });

  it('keeps what a run said at its end in place of what it said at its start', async () => {
    const store = opened(join(await temporaryFolder(), 'state.db'));
    const started: RunRecord = runOf('orders', 1);
    await store.runs.save(started, NEVER);
    expect(await store.runs.list({}, NEVER)).toEqual([started]);
    const ended: RunRecord = {
      ...started,
      status: 'incomplete',
      endedAt: '2026-11-24T11:00:00.000Z',
      exitCode: 3,
      report: { streams: [{ read: 10, id: '12345678901234567890' }] },
    };
    await store.runs.save(ended, NEVER);
    expect(await store.runs.list({ job: 'orders' }, NEVER)).toEqual([ended]);
  });
});

function runOf(job: string, index: number): RunRecord {
  return { run: `run ${index}`, job, command: 'run', startedAt: `2026-11-24T10:00:0${index}.000Z`, status: 'running' };
}

async function runsOf(store: StateStore, filter: RunFilter): Promise<string[]> {
  return (await store.runs.list(filter, NEVER)).map(({ job, run }) => `${job} ${run.slice(4)}`);
}

function opened(file: string): StateStore {
  const store = openSqliteState(file);
  onTestFinished(() => store.close());
  return store;
}

function change(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-state-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Root may write anywhere, so as root the work is done as nobody. */
async function asAnyone(folder: string, work: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return work();
  const { chmod } = await import('node:fs/promises');
  await chmod(folder, 0o755);
  process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}
