import { isTrueupError } from '../../../src/sdk.ts';

/** A table or schema that does not exist: nothing was ever stored. */
export function isMissing(error: unknown): boolean {
  const state = isTrueupError(error) ? (error.details.cause as { readonly code?: string } | undefined)?.code : undefined;
  return state === '42P01' || state === '3F000';
}
