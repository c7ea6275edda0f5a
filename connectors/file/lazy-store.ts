import type { CheckpointStore } from '../../src/sdk.ts';

/** A store that is opened on first use. */
export function lazyStore(open: () => Promise<CheckpointStore>): CheckpointStore {
  return {
    atomic: true,
    acquire: async (request, signal) => (await open()).acquire(request, signal),
    renew: async (owner, signal) => (await open()).renew(owner, signal),
    release: async (owner, signal) => (await open()).release(owner, signal),
    owner: async (job, signal) => (await open()).owner(job, signal),
    save: async (owner, what, signal) => (await open()).save(owner, what, signal),
    list: async (job, signal) => (await open()).list(job, signal),
    letters: async (filter, signal) => (await open()).letters(filter, signal),
    close: async () => {},
  };
}
