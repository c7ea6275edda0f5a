import { TrueupError } from '../../../src/sdk.ts';
import type { Owner } from '../../../src/sdk.ts';

/** What an owner is told whose job was taken over or released. */
export function fenced({ run, job, epoch }: Owner): TrueupError {
  return new TrueupError('E_FENCED', `Run ${run} no longer owns job '${job}' (epoch ${epoch}). Nothing was written by this commit.`);
}
