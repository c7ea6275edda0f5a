import { TrueupError } from '../errors.ts';
import { interpolate } from './interpolate.ts';
import type { Surroundings } from './interpolate.ts';

/**
 * Resolves the references of a single text, for what is read after the config was loaded (a mapping's key).
 *
 * @throws {TrueupError} `E_CONFIG_SECRET` when one has no value
 */
export function createReferenceResolver(surroundings: Surroundings): (text: string) => string {
  return (text) => {
    const { text: replaced, problems } = interpolate(text, surroundings);
    if (problems.length > 0) throw new TrueupError('E_CONFIG_SECRET', problems.join('; '));
    return replaced;
  };
}
