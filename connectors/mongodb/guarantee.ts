import type { GuaranteeParts, StreamRef } from '../../src/sdk.ts';

/**
 * The source's share of the guarantee. MongoDB has no fence: a write may be dated before others that were read already, so a cursor field finds what came late within a
 * declared lookback only. Deleted documents leave no trace but in the log.
 */
export function guaranteeOf({ name, changes, lookbackMs }: Pick<StreamRef, 'name' | 'changes' | 'lookbackMs'>): GuaranteeParts {
  // The log tells of every write that a majority has, in the order of their commits.
  if (changes.by === 'log') return { lateCommits: 'delivered', deletes: 'delivered', assumes: [] };
  if (changes.by === 'snapshot') return { lateCommits: 'delivered', deletes: 'never', assumes: [] };
  const field = `${name}.${changes.field ?? '?'}`;
  const written =
    changes.field === '_id'
      ? [`documents of ${name} are inserted with a growing _id and never updated`]
      : [`every write to a document of ${name} raises ${field}`];
  if (lookbackMs === undefined) return { lateCommits: 'lost', deletes: 'never', assumes: written };
  return {
    lateCommits: 'within-lookback',
    deletes: 'never',
    assumes: [...written, `${field} is the time of the write, by clocks that agree within the lookback`],
  };
}
