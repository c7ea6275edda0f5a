import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTrueupError } from '../errors.ts';
import type { Check } from './check.ts';
import { NEVER, rejection, within } from './expectations.ts';
import { ELSEWHERE, HERE, acquire, checkpointOf, leaseRequest, takeOver } from './owners.ts';
import type { StoreFixture } from './store-fixture.ts';

export const leaseChecks: readonly Check<StoreFixture>[] = [
  {
    name: 'gives a free job to its first asker and says who has it',
    run: async (fixture) => {
      const store = await fixture.open();
      assert.equal(await store.owner('orders', NEVER), null, 'a job that nobody acquired has an owner');
      const owner = await acquire(store, 'orders', 'run-1');
      assert.deepEqual(owner, { job: 'orders', run: 'run-1', epoch: owner.epoch, process: HERE });
      const other = await fixture.open();
      const { acquiredAt, expiresAt, ...seen } = (await other.owner('orders', NEVER)) ?? assert.fail('another process sees no owner');
      assert.deepEqual(seen, owner);
      assert.ok(Date.parse(expiresAt) - Date.parse(acquiredAt) >= 59_000, `a lease of a minute lasts from ${acquiredAt} to ${expiresAt}`);
      await other.close();
      await store.close();
    },
  },
  {
    name: 'refuses a job with a live owner, and names its run, process and host',
    run: async (fixture) => {
      const store = await fixture.open();
      await acquire(store, 'orders', 'run-1', { process: ELSEWHERE });
      const error = await rejection(acquire(store, 'orders', 'run-2'), 'E_OWNED');
      for (const part of ['run-1', String(ELSEWHERE.pid), ELSEWHERE.host])
        assert.ok(error.message.includes(part), `'${part}' is not in: ${error.message}`);
      await store.close();
    },
  },
  {
    name: 'grows the epoch with each owner, over releases and take-overs',
    run: async (fixture) => {
      const store = await fixture.open();
      const first = await acquire(store, 'orders', 'run-1');
      await store.release(first, NEVER);
      assert.equal(await store.owner('orders', NEVER), null, 'a released job still has an owner');
      const second = await acquire(store, 'orders', 'run-2');
      const third = await takeOver(store, 'orders', 'run-3');
      assert.ok(first.epoch < second.epoch && second.epoch < third.epoch, `epochs: ${first.epoch}, ${second.epoch}, ${third.epoch}`);
      await store.close();
    },
  },
  {
    name: 'takes a job over from a dead process of this host at once, and asks only about this host',
    run: async (fixture) => {
      const store = await fixture.open();
      const dead = await acquire(store, 'orders', 'run-1');
      const asked: unknown[] = [];
      await acquire(store, 'orders', 'run-2', { isAlive: (process) => asked.push(process) === 0 });
      assert.deepEqual(asked, [dead.process]);
      await acquire(store, 'items', 'run-1', { process: ELSEWHERE });
      await rejection(acquire(store, 'items', 'run-2', { isAlive: () => assert.fail('asked about a process of another host') }), 'E_OWNED');
      await store.close();
    },
  },
  {
    name: 'gives a lease again to the run that has it, because the answer to its first request may have been lost',
    run: async (fixture) => {
      const store = await fixture.open();
      const unanswered = await acquire(store, 'orders', 'run-1');
      const owner = await acquire(store, 'orders', 'run-1');
      assert.ok(owner.epoch > unanswered.epoch, `epochs: ${unanswered.epoch}, ${owner.epoch}`);
      await store.renew(owner, NEVER);
      await rejection(acquire(store, 'orders', 'run-2'), 'E_OWNED');
      await store.close();
    },
  },
  {
    name: 'takes a lease over once it has run out, though its process lives',
    run: async (fixture) => {
      const store = await fixture.open();
      const stale = await acquire(store, 'orders', 'run-1', { process: ELSEWHERE, ttlMs: 30 });
      const owner = await within(
        10_000,
        'the take-over of a lease of 30 ms',
        eventually(() => acquire(store, 'orders', 'run-2')),
      );
      await rejection(store.renew(stale, NEVER), 'E_FENCED');
      assert.equal((await store.owner('orders', NEVER))?.epoch, owner.epoch);
      await store.close();
    },
  },
  {
    name: 'extends a lease by renewing it',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1', { process: ELSEWHERE, ttlMs: 1_500 });
      const before = (await store.owner('orders', NEVER))?.expiresAt ?? '';
      await sleep(20);
      await store.renew(owner, NEVER);
      const after = (await store.owner('orders', NEVER))?.expiresAt ?? '';
      assert.ok(after > before, `the lease ended at ${before} before and at ${after} after it was renewed`);
      await rejection(acquire(store, 'orders', 'run-2'), 'E_OWNED');
      await store.close();
    },
  },
  {
    name: 'refuses to renew for an owner that was taken over or has released',
    run: async (fixture) => {
      const store = await fixture.open();
      const first = await acquire(store, 'orders', 'run-1');
      const second = await takeOver(store, 'orders', 'run-2');
      await rejection(store.renew(first, NEVER), 'E_FENCED');
      await store.release(second, NEVER);
      await rejection(store.renew(second, NEVER), 'E_FENCED');
      await store.close();
    },
  },
  {
    name: 'leaves the new owner alone when the old one releases',
    run: async (fixture) => {
      const store = await fixture.open();
      const first = await acquire(store, 'orders', 'run-1');
      const second = await takeOver(store, 'orders', 'run-2');
      await store.release(first, NEVER);
      await store.renew(second, NEVER);
      assert.equal((await store.owner('orders', NEVER))?.run, 'run-2');
      await store.close();
    },
  },
  {
    name: 'has one winner when many ask at the same time',
    run: async (fixture) => {
      const stores = await Promise.all(Array.from({ length: 6 }, async () => fixture.open()));
      const asked = await Promise.allSettled(stores.map((store, index) => store.acquire(leaseRequest('orders', `run-${index}`), NEVER)));
      const losers = asked.filter((outcome) => outcome.status === 'rejected').map((outcome): unknown => outcome.reason);
      for (const reason of losers) assert.ok(isTrueupError(reason) && reason.code === 'E_OWNED', String(reason));
      assert.equal(asked.length - losers.length, 1, 'winners');
      await Promise.all(stores.map((store) => store.close()));
    },
  },
  {
    name: 'keeps jobs apart',
    run: async (fixture) => {
      const store = await fixture.open();
      const orders = await acquire(store, 'orders', 'run-1');
      const items = await acquire(store, 'items', 'run-2');
      await store.save(orders, { checkpoints: [checkpointOf(orders, 'changes:a', 'o')] }, NEVER);
      await store.save(items, { checkpoints: [checkpointOf(items, 'changes:a', 'i')] }, NEVER);
      await store.release(orders, NEVER);
      await store.renew(items, NEVER);
      assert.deepEqual(
        (await store.list('orders', NEVER)).map((checkpoint) => checkpoint.cursor),
        ['o'],
      );
      assert.deepEqual(
        (await store.list(null, NEVER)).map((checkpoint) => checkpoint.cursor),
        ['i', 'o'],
      );
      await store.close();
    },
  },
  {
    name: 'closes twice, and before it was used',
    run: async (fixture) => {
      const unused = await fixture.open();
      await unused.close();
      const store = await fixture.open();
      await store.owner('orders', NEVER);
      await store.close();
      await store.close();
    },
  },
];

/** Tries until the lease is free. */
async function eventually<Result>(attempt: () => Promise<Result>): Promise<Result> {
  while (true) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTrueupError(error) || error.code !== 'E_OWNED') throw error;
      await sleep(10);
    }
  }
}
