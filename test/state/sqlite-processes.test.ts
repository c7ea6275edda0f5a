import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAlive, thisProcess } from '../../src/state/process-identity.ts';
import { openSqliteState } from '../../src/state/sqlite-state.ts';
import { startStateProcess } from './state-process.ts';

const NEVER = new AbortController().signal;

describe('a state file that several processes use', () => {
  it('is whole after kill -9 at any instant, and has everything that was said to be durable', async () => {
    const file = await stateFile();
    let durable = 0;
    for (let round = 0; round < 12; round++) {
      const writer = startStateProcess('save-forever.ts', file, String(durable + 1));
      let lines = 0;
      for await (const line of writer.lines) {
        durable = Number(line);
        lines += 1;
        if (lines === 4) void sleep(Math.random() * 30).then(writer.kill);
      }
      await writer.kill();
      const store = openSqliteState(file);
      const checkpoints = await store.list('orders', NEVER);
      const letters = await store.letters({ job: 'orders' }, NEVER);
      const numbers = [...checkpoints.map(({ cursor }) => (cursor as { number: number }).number), ...letters.map(({ payload }) => payload)];
      expect(new Set(numbers), 'both checkpoints and the letter are of one save').toHaveProperty('size', 1);
      expect(numbers[0]).toBeGreaterThanOrEqual(durable);
      durable = Number(numbers[0]);
      // Its lease has an hour to run, but its process is gone.
      const owner = await store.acquire({ job: 'orders', run: 'after the crash', process: thisProcess(), ttlMs: 60_000, isAlive }, NEVER);
      await store.release(owner, NEVER);
      await store.close();
      expect(integrityOf(file)).toBe('ok');
    }
    expect(durable, 'saves that were durable before a kill').toBeGreaterThanOrEqual(12 * 4);
  });

  it('has one winner when processes make the file and ask for a job at the same time', async () => {
    for (let round = 0; round < 3; round++) {
      const file = await stateFile();
      const at = String(Date.now() + 600);
      const askers = Array.from({ length: 4 }, () => startStateProcess('acquire-once.ts', file, at));
      const outcomes = await Promise.all(askers.map(async (asker) => (await asker.lines[Symbol.asyncIterator]().next()).value as string));
      expect(outcomes.sort()).toEqual(['E_OWNED', 'E_OWNED', 'E_OWNED', 'epoch 1']);
      await Promise.all(askers.map((asker) => asker.kill()));
    }
  });

  it('knows a live owner from a dead one', async () => {
    const file = await stateFile();
    const asker = startStateProcess('acquire-once.ts', file);
    expect((await asker.lines[Symbol.asyncIterator]().next()).value).toBe('epoch 1');
    const store = openSqliteState(file);
    onTestFinished(() => store.close());
    const request = { job: 'orders', run: 'run-2', process: thisProcess(), ttlMs: 60_000, isAlive };
    await expect(store.acquire(request, NEVER)).rejects.toMatchObject({
      code: 'E_OWNED',
      message: expect.stringContaining(`process ${asker.pid} on ${hostname()}`) as unknown,
    });
    await asker.kill();
    expect(await store.acquire(request, NEVER)).toMatchObject({ epoch: 2 });
  });

  it('waits for another process that writes, without blocking this one', async () => {
    const file = await stateFile();
    const store = openSqliteState(file);
    onTestFinished(() => store.close());
    await store.list(null, NEVER);
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 10);
    const acquired = store.acquire({ job: 'orders', run: 'run-1', process: thisProcess(), ttlMs: 60_000, isAlive }, NEVER);
    await sleep(500);
    expect(ticks, 'timers that fired while the file was locked').toBeGreaterThan(3);
    other.exec('commit');
    other.close();
    expect(await acquired).toMatchObject({ epoch: 1 });
    clearInterval(timer);
  });
});

async function stateFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-state-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, '.trueup', 'state.db');
}

function integrityOf(file: string): unknown {
  const database = new DatabaseSync(file);
  const result = database.prepare('pragma integrity_check').get()?.['integrity_check'];
  database.close();
  return result;
}
