import type { ChangeMethod, Promises, SourcePromise } from '../../src/sdk.ts';
import type { OrderFacts } from './changes/clock.ts';
import { guaranteeOf } from './guarantee.ts';

/*
 * The situations that make a difference to what is promised, in the order in which the methods are offered. `public.orders` and its columns stand for any.
 */

interface Situation {
  readonly by: ChangeMethod;
  readonly field?: string;
  readonly kind: OrderFacts['relation']['kind'];
  readonly orderKind?: OrderFacts['orderKind'];
  readonly lookbackMs?: number;
  readonly standby?: boolean;
  /** Values of the counter that a session takes at a time. */
  readonly cache?: number;
  readonly situation: string;
}

const SITUATIONS: readonly Situation[] = [
  { by: 'cursor', field: 'updated_at', kind: 'table', situation: 'a table, by a column of type timestamptz, timestamp or date' },
  { by: 'cursor', field: 'updated_at', kind: 'table', lookbackMs: 600_000, situation: 'the same with `lookback: 10m`' },
  {
    by: 'cursor',
    field: 'version',
    kind: 'table',
    orderKind: 'counter',
    situation: 'a table, by a column of another type that has an order',
  },
  { by: 'cursor', field: 'updated_at', kind: 'view', situation: 'a view or a query' },
  { by: 'cursor', field: 'updated_at', kind: 'matview', situation: 'a materialized view' },
  { by: 'cursor', field: 'updated_at', kind: 'foreign', situation: 'a foreign table' },
  { by: 'cursor', field: 'updated_at', kind: 'foreign', lookbackMs: 600_000, situation: 'a foreign table with `lookback: 10m`' },
  { by: 'cursor', field: 'updated_at', kind: 'table', standby: true, situation: 'a table, read from a standby' },
  {
    by: 'cursor',
    field: 'updated_at',
    kind: 'table',
    standby: true,
    lookbackMs: 600_000,
    situation: 'a table, read from a standby with `lookback: 10m`',
  },
  { by: 'xmin', kind: 'table', situation: 'a table or a materialized view' },
  { by: 'sequence', field: 'id', kind: 'table', orderKind: 'counter', situation: 'a table, by a counter' },
  {
    by: 'sequence',
    field: 'id',
    kind: 'table',
    orderKind: 'counter',
    cache: 20,
    situation: 'a table, by a counter that is handed out ahead (CACHE > 1)',
  },
  { by: 'log', kind: 'table', situation: 'a table, on a server with `wal_level = logical`' },
  { by: 'log', kind: 'partitioned', situation: 'a partitioned table, on such a server' },
  { by: 'snapshot', kind: 'table', situation: 'a table, view or query' },
];

const STREAM = 'public.orders';

export const promises: Promises = { source: SITUATIONS.map(promiseOf), target: { checkpoints: 'atomic' } };

function promiseOf({ by, field, kind, orderKind = 'instant', lookbackMs, standby = false, cache, situation }: Situation): SourcePromise {
  const parts = guaranteeOf({
    reading: {
      ref: {
        name: STREAM,
        changes: { by, ...(field === undefined ? {} : { field }) },
        ...(lookbackMs === undefined ? {} : { lookbackMs }),
      },
      relation: { kind, hasXmin: kind === 'table' || kind === 'matview' },
      order: field === undefined ? null : { name: field },
      orderKind: field === undefined ? 'counter' : orderKind,
    },
    standby,
    sequence: cache === undefined ? null : { name: `${STREAM}_${field ?? ''}_seq`, cache },
  });
  return { by, situation, parts };
}
