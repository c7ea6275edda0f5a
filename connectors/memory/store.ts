import type { Checkpoint, CheckpointStore, Letter, OwnerInfo } from '../../src/sdk.ts';
import { acquire, release, renew, save } from './control.ts';
import type { Control } from './control.ts';

/** The checkpoint store inside a memory database. `atomic`: the target's lanes commit rows and checkpoints in one step. */
export function memoryStore(control: Control, now: () => number = Date.now): CheckpointStore {
  return {
    atomic: true,
    acquire: (request, signal) => step(signal, () => acquire(control, request, now())),
    renew: (owner, signal) => step(signal, () => renew(control, owner, now())),
    release: (owner, signal) => step(signal, () => release(control, owner)),
    owner: (job, signal) => step(signal, () => holderOf(control, job)),
    save: (owner, what, signal) => step(signal, () => save(control, owner, what, now())),
    list: (job, signal) => step(signal, () => listCheckpoints(control, job)),
    letters: (filter, signal) => step(signal, () => listLetters(control, filter)),
    close: async () => {},
  };
}

async function step<Result>(signal: AbortSignal, work: () => Result): Promise<Result> {
  signal.throwIfAborted();
  return work();
}

function holderOf(control: Control, job: string): OwnerInfo | null {
  const lease = control.leases.get(job);
  if (lease === undefined) return null;
  const { run, epoch, process, acquiredAt, expiresAt } = lease;
  return { job, run, epoch, process, acquiredAt, expiresAt };
}

function listCheckpoints(control: Control, job: string | null): Checkpoint[] {
  const found = [...control.checkpoints.values()].filter((checkpoint) => job === null || checkpoint.job === job);
  return structuredClone(found.sort((a, b) => byText(a.job, b.job) || byText(a.feed.id, b.feed.id)));
}

function listLetters(control: Control, filter: { readonly job?: string; readonly stream?: string; readonly limit?: number }): Letter[] {
  const found = [...control.letters.values()]
    .filter((letter) => (filter.job ?? letter.job) === letter.job && (filter.stream ?? letter.stream) === letter.stream)
    .sort((a, b) => byText(a.job, b.job) || byText(a.stream, b.stream) || byText(a.key, b.key));
  return structuredClone(found.slice(0, filter.limit));
}

/** Code units, as a store compares under the C collation. */
function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
