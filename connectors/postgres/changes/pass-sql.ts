import type { ChangesCursor, PassCursor, Phase } from './cursor.ts';
import { columnSql, compareSql, orderBy, orderColumns, placeValues, selectSql, valueSql } from '../read/reading.ts';
import type { Reading } from '../read/reading.ts';
import type { Column } from '../relation.ts';
import type { Snapshot } from '../read/stream-reader.ts';
import { xminWindow } from './xid.ts';

export interface PhaseSql {
  readonly select: string;
  /** For `setValues`. */
  readonly values: Readonly<Record<string, string>>;
}

type InPass = ChangesCursor & { readonly pass: PassCursor };

/** What a phase reads, in its order; `null`: nothing, as far as can be told without reading. */
export function phaseSql(phase: Phase, cursor: InPass, snapshot: Snapshot, upper: string | null): PhaseSql | null {
  const { reading } = snapshot;
  const part = phasePart(phase, cursor, snapshot, upper);
  if (part === null) return null;
  const columns = phase === 'late' || phase === 'rest' ? orderColumns(reading) : reading.key;
  return { select: selectSql(reading, part.sql, orderBy(columns)), values: part.values };
}

/** Which rows belong to a phase; `null`: none, as far as can be told without reading. */
export function phasePart(phase: Phase, cursor: InPass, snapshot: Snapshot, upper: string | null): Part | null {
  switch (phase) {
    case 'loose':
      return loosePart(cursor, snapshot);
    case 'late':
      return latePart(cursor, snapshot);
    case 'rest':
      return restPart(cursor, snapshot.reading, upper);
    case 'scan':
      return scanPart(cursor, snapshot);
  }
}

/** Conditions with the values that they need. */
export interface Part {
  readonly sql: readonly string[];
  readonly values: Readonly<Record<string, string>>;
}

/** Rows written since the horizon. Relations without `xmin` give all of theirs. The sub-selects are evaluated once, not for every row. */
function since({ relation }: Reading, horizon: string | null, xmax: bigint): Part | null {
  if (!relation.hasXmin) return { sql: [], values: {} };
  const window = xminWindow(horizon === null ? null : BigInt(horizon), xmax);
  if (window.kind === 'none') return null;
  if (window.kind === 'all') return { sql: [], values: {} };
  const { next, width } = window;
  const sql = `pg_catalog.mod((select pg_catalog.current_setting('trueup.next')::int8) - t.xmin::text::int8 + 4294967296, 4294967296) <= (select pg_catalog.current_setting('trueup.width')::int8)`;
  return { sql: [sql], values: { next, width } };
}

const NONE: Part = { sql: [], values: {} };

function beyond(columns: readonly Column[], at: readonly string[] | null): Part {
  return at === null ? NONE : { sql: [compareSql(columns, '>', 'a')], values: placeValues('a', at) };
}

/** Only times have values that stand for no time. They are in no order with the others, and would drag `head` to the end of it. */
function finite(reading: Reading): Part {
  const order = reading.order as Column;
  if (reading.orderKind === 'counter') return { sql: [`${columnSql(order)} is not null`], values: {} };
  return { sql: [`${columnSql(order)} > '-infinity'::${order.cast}`, `${columnSql(order)} < 'infinity'::${order.cast}`], values: {} };
}

function joined(parts: readonly (Part | null)[]): Part | null {
  const given: Part[] = [];
  for (const part of parts) {
    if (part === null) return null;
    given.push(part);
  }
  return {
    sql: given.flatMap((part) => part.sql),
    values: Object.assign({}, ...given.map((part) => part.values)) as Record<string, string>,
  };
}

function loosePart({ horizon, pass }: InPass, { reading, xmax }: Snapshot): Part | null {
  const order = reading.order as Column;
  const c = columnSql(order);
  const infinite = reading.orderKind === 'counter' ? '' : `${c} in ('infinity'::${order.cast}, '-infinity'::${order.cast})`;
  const loose = [order.notNull ? '' : `${c} is null`, infinite].filter((sql) => sql !== '').join(' or ');
  return joined([{ sql: [`(${loose})`], values: {} }, since(reading, horizon, xmax), beyond(reading.key, pass.at)]);
}

function latePart({ head, floor, horizon, pass }: InPass, { reading, xmax }: Snapshot): Part | null {
  if (head === null) return null;
  const order = reading.order as Column;
  const columns = orderColumns(reading);
  const upToHead: Part = { sql: [compareSql(columns, '<=', 'h')], values: placeValues('h', [head.c, ...head.k]) };
  const aboveFloor: Part = floor === null ? NONE : { sql: [`${columnSql(order)} > ${valueSql('floor', order)}`], values: { floor } };
  return joined([finite(reading), aboveFloor, upToHead, beyond(columns, pass.at), since(reading, horizon, xmax)]);
}

function restPart({ head }: ChangesCursor, reading: Reading, upper: string | null): Part | null {
  const order = reading.order as Column;
  const columns = orderColumns(reading);
  const upTo: Part = upper === null ? NONE : { sql: [`${columnSql(order)} <= ${valueSql('upper', order)}`], values: { upper } };
  return joined([finite(reading), beyond(columns, head === null ? null : [head.c, ...head.k]), upTo]);
}

function scanPart({ horizon, pass }: InPass, { reading, xmax }: Snapshot): Part | null {
  return joined([since(reading, horizon, xmax), beyond(reading.key, pass.at)]);
}

/** The place of the last row in the order. */
export function newestSql(reading: Reading): string {
  const columns = orderColumns(reading).map(columnSql);
  const descending = columns.map((column) => `${column} desc`).join(', ');
  return `select ${columns.join(', ')} from ${reading.relation.from} as t where ${finite(reading).sql.join(' and ')} order by ${descending} limit 1`;
}
