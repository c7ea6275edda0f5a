import type { ChangeSpec, Promises, SourcePromise } from '../../src/sdk.ts';
import { guaranteeOf } from './guarantee.ts';

/* The situations that make a difference to what is promised, in the order in which the methods are offered. `orders` and its fields stand for any. */

interface Situation {
  readonly changes: ChangeSpec;
  readonly lookbackMs?: number;
  readonly situation: string;
}

const SITUATIONS: readonly Situation[] = [
  { changes: { by: 'cursor', field: 'updatedAt' }, situation: 'a collection or a view, by any field' },
  { changes: { by: 'cursor', field: 'updatedAt' }, lookbackMs: 600_000, situation: 'the same by a date, with `lookback: 10m`' },
  { changes: { by: 'cursor', field: '_id' }, situation: 'a collection, by `_id`' },
  { changes: { by: 'snapshot' }, situation: 'a collection or a view' },
  { changes: { by: 'log' }, situation: 'a collection of a replica set or cluster, by its change streams' },
];

export const promises: Promises = { source: SITUATIONS.map(promiseOf), target: { checkpoints: 'beside', atomicOnRequest: true } };

function promiseOf({ changes, lookbackMs, situation }: Situation): SourcePromise {
  const parts = guaranteeOf({ name: 'orders', changes, ...(lookbackMs === undefined ? {} : { lookbackMs }) });
  return { by: changes.by, situation, parts };
}
