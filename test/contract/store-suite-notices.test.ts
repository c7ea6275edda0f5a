import { describe, it } from 'vitest';
import type { CheckpointStore } from '../../src/sdk.ts';
import { openMemoryState } from '../../src/state/sqlite-state.ts';
import { storeChecks } from '../../src/testing/index.ts';
import type { StoreFixture } from '../../src/testing/index.ts';
import { expectNotice } from './planting.ts';

const NEVER = new AbortController().signal;

describe('the store suite notices', () => {
  const faulty = (name: string, fault: string, plant: (store: CheckpointStore) => CheckpointStore): void =>
    it(fault, async () => {
      const open = (): StoreFixture => {
        const state = openMemoryState();
        return { open: () => ({ ...state, close: async () => {} }), close: () => state.close() };
      };
      await expectNotice(storeChecks, name, open, (fixture) => ({ ...fixture, open: async () => plant(await fixture.open()) }));
    });

  faulty('writes nothing for an old epoch', 'an epoch that is not looked at', (store) => ({
    ...store,
    save: async (owner, what, signal) => store.save((await store.owner(owner.job, signal)) ?? owner, what, signal),
  }));
  faulty('has one winner when many ask at the same time', 'two winners', (store) => ({
    ...store,
    acquire: (request, signal) => store.acquire({ ...request, isAlive: () => false }, signal),
  }));
  faulty(
    'takes a job over from a dead process of this host at once, and asks only about this host',
    'a dead owner that keeps its job',
    (store) => ({
      ...store,
      acquire: (request, signal) => store.acquire({ ...request, isAlive: () => true }, signal),
    }),
  );
  faulty('takes a lease over once it has run out, though its process lives', 'a lease that another renews for it', (store) => ({
    ...store,
    renew: async (owner, signal) => store.renew((await store.owner(owner.job, signal)) ?? owner, signal),
  }));
  faulty('leaves the new owner alone when the old one releases', 'a release of what another owns', (store) => ({
    ...store,
    release: async (owner, signal) => store.release((await store.owner(owner.job, signal)) ?? owner, signal),
  }));
  faulty('grows the epoch with each owner, over releases and take-overs', 'epochs that begin again', (store) => ({
    ...store,
    acquire: async (request, signal) => ({ ...(await store.acquire(request, signal)), epoch: 1 }),
  }));
  faulty('gives checkpoints back as they were saved, to another process too', 'digits of a cursor that are lost', (store) => ({
    ...store,
    list: async (job, signal) =>
      JSON.parse(JSON.stringify(await store.list(job, signal)), (_name, value: unknown) =>
        typeof value === 'string' && /^\d{16,}$/.test(value) ? String(Number(value)) : value,
      ) as Awaited<ReturnType<CheckpointStore['list']>>,
  }));
  faulty('counts the attempts of a letter and keeps what the last one said', 'attempts that are not counted', (store) => ({
    ...store,
    letters: async (filter, signal) => (await store.letters(filter, signal)).map((letter) => ({ ...letter, attempts: 1 })),
  }));
  faulty('rejects once the signal is aborted, and has written nothing', 'an abort that is not heard', (store) => ({
    ...store,
    save: (owner, what) => store.save(owner, what, NEVER),
  }));
});
