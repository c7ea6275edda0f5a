import type { StreamRef } from '../../../src/sdk.ts';
import { columnSql, valueSql } from '../read/reading.ts';
import type { Reading } from '../read/reading.ts';
import type { Column, Relation } from '../relation.ts';
import type { Fence } from './fence.ts';
import { readOpenTransactions } from './fence.ts';
import type { Session } from '../session/session.ts';
import type { SourceContext } from '../read/stream-reader.ts';

/*
 * Positions that a fence can stand at. Whatever a transaction that opens later stamps lies beyond them:
 *   instant  the clock of the database, less a margin (now() is the arrival of the statement, a little before the transaction can be seen)
 *   civil    a timestamp without time zone holds the wall clock of a zone that nobody recorded: the earliest there is, UTC-12, and an hour more
 *   date     the day before that
 *   counter  the greatest value that can be seen, since later ones are drawn later
 */

/** A fence of this process: `u` is the floor it gives, `upper` how far it lets a continuous run read. */
export interface LiveFence extends Fence {
  readonly upper: string;
}

/** Whether a floor can move at all, and by what. */
export type FloorRule =
  /** By fences. */
  | 'fence'
  /** To the newest value less the declared lookback. */
  | 'lookback'
  /** Never: all that was read before is looked at again. */
  | 'still';

/** What of a reading decides how its floor moves, and what that promises. */
export interface OrderFacts extends Pick<Reading, 'orderKind'> {
  readonly ref: Pick<StreamRef, 'name' | 'changes' | 'lookbackMs'>;
  readonly relation: Pick<Relation, 'kind' | 'hasXmin'>;
  readonly order: Pick<Column, 'name'> | null;
}

export interface FloorFacts {
  readonly standby: boolean;
  /** A counter whose values are handed out ahead of their use (CACHE > 1). */
  readonly cachedSequence: boolean;
}

/**
 * Transactions of another server, and those of a primary as a standby sees them, are in no list of locks; a materialized view is written
 * long after its rows were stamped.
 */
export function floorRule(reading: OrderFacts, facts: FloorFacts): FloorRule {
  const { relation, ref, orderKind } = reading;
  if (reading.order === null) return 'still';
  const timed = orderKind !== 'counter';
  if (facts.standby || relation.kind === 'foreign') return timed && ref.lookbackMs !== undefined ? 'lookback' : 'still';
  if (relation.kind === 'matview' || (!timed && facts.cachedSequence)) return 'still';
  return 'fence';
}

/** Takes a fence: the position first, then who is open. `null`: there is nothing to stand at, for an empty counter. */
export async function takeFence(context: SourceContext, session: Session, reading: Reading): Promise<LiveFence | null> {
  const at = reading.orderKind === 'counter' ? await greatest(session, reading) : await clock(context, session, reading);
  if (at === null) return null;
  const open = await readOpenTransactions(session, context.pids);
  return { ...at, vxids: context.withoutFence ? [] : [...open.vxids] };
}

const CLOCKS = {
  instant: { upper: 'x.now', floor: 'x.now - x.lookback' },
  civil: {
    upper: `(x.now at time zone 'UTC') - interval '13 hours'`,
    floor: `(x.now at time zone 'UTC') - interval '13 hours' - x.lookback`,
  },
  date: {
    upper: `((x.now at time zone 'UTC') - interval '13 hours')::date - 1`,
    floor: `((x.now at time zone 'UTC') - interval '13 hours' - x.lookback)::date - 1`,
  },
} as const;

async function clock(context: SourceContext, session: Session, reading: Reading): Promise<{ u: string; upper: string } | null> {
  const { floor, upper } = CLOCKS[reading.orderKind as keyof typeof CLOCKS];
  const margin = context.withoutFence ? 0 : context.server.options.fence.margin;
  const [row] = await session.query(
    `select (${floor})::text, (${upper})::text
       from (select pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1::float8 / 1000) as now, pg_catalog.make_interval(secs => $2::float8 / 1000) as lookback) x`,
    [String(margin), String(reading.ref.lookbackMs ?? 0)],
  );
  return { u: row?.[0] as string, upper: row?.[1] as string };
}

async function greatest(session: Session, reading: Reading): Promise<{ u: string; upper: string } | null> {
  if (reading.order === null) return null;
  const c = columnSql(reading.order);
  const [row] = await session.query(
    `select ${c}::text from ${reading.relation.from} as t where ${c} is not null order by ${c} desc limit 1`,
  );
  return row === undefined ? null : { u: row[0] as string, upper: row[0] as string };
}

/** The floor that a declared lookback gives: that much before the newest row, or before the clock where stamps lie in the future. */
export async function lookbackFloor(session: Session, reading: Reading, head: string): Promise<string> {
  const order = reading.order;
  if (order === null) throw new TypeError('a lookback needs a cursor column');
  const day = reading.orderKind === 'date' ? '::date - 1' : '';
  await session.query(`select pg_catalog.set_config('trueup.head', $1, true)`, [head]);
  const [row] = await session.query(
    `select ((least(${valueSql('head', order)}, pg_catalog.clock_timestamp()${reading.orderKind === 'instant' ? '' : ` at time zone 'UTC'`}) - pg_catalog.make_interval(secs => $1::float8 / 1000))${day})::text`,
    [String(reading.ref.lookbackMs ?? 0)],
  );
  return row?.[0] as string;
}

/** Ten minutes before a floor, for what a failover may have lost. `null`: everything. */
export async function beforeFloor(session: Session, reading: Reading, floor: string | null): Promise<string | null> {
  if (floor === null || reading.order === null || reading.orderKind === 'counter') return null;
  const [row] = await session.query(
    reading.orderKind === 'date' ? `select ($1::date - 1)::text` : `select ($1::${reading.order.cast} - interval '10 minutes')::text`,
    [floor],
  );
  return row?.[0] ?? null;
}
