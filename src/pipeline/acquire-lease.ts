import type { Owner } from '../model/checkpoint.ts';
import { checkpointStore } from './job-context.ts';
import type { JobContext } from './job-context.ts';

/** How long a lease lasts unless it is renewed (ms). */
export const LEASE_MS = 30_000;

/** Takes the lease of the context's job for a run, with a new epoch. @throws {TrueupError} `E_OWNED` while another run holds it */
export function acquireLease(context: JobContext, run: string, signal: AbortSignal): Promise<Owner> {
  const { job, process } = context;
  return checkpointStore(context).acquire({ job: job.name, run, process, ttlMs: LEASE_MS, isAlive: (one) => context.isAlive(one) }, signal);
}
