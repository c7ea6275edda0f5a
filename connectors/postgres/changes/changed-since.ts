import { TrueupError } from '../../../src/sdk.ts';
import type { Batch } from '../../../src/sdk.ts';
import { batchOf, readRows } from '../copy/read.ts';
import type { BatchLimits } from '../copy/read.ts';
import { columnSql, orderBy, selectSql, setValues, valueSql } from '../read/reading.ts';
import type { OrderKind, Reading } from '../read/reading.ts';
import type { StreamReader } from '../read/stream-reader.ts';

/** The instant as the column would hold it; of a zone that nobody recorded the earliest there is (see clock.ts), so that no row is left out. */
const SINCE: Readonly<Record<Exclude<OrderKind, 'counter'>, string>> = {
  instant: 'x.since',
  civil: `(x.since at time zone 'UTC') - interval '13 hours'`,
  date: `((x.since at time zone 'UTC') - interval '13 hours')::date`,
};

/**
 * Rows whose cursor column is at or after an instant, from one snapshot, in its order. Rows without a value in it have no time and are not among them.
 *
 * @throws {TrueupError} `E_COMPARE_UNSUPPORTED` when the stream has no cursor column that holds a time
 */
export async function* readChangedSince(reader: StreamReader, sinceMs: number, limits: BatchLimits): AsyncGenerator<Batch> {
  const { reading } = await reader.begin();
  const { order, orderKind } = reading;
  if (order === null || orderKind === 'counter') throw timeless(reading);
  const session = await reader.session();
  const [row] = await session.query(
    `select (${SINCE[orderKind]})::text from (select pg_catalog.to_timestamp($1::float8 / 1000) as since) x`,
    [String(sinceMs)],
  );
  await setValues(session, { since: row?.[0] as string });
  const select = selectSql(reading, [`${columnSql(order)} >= ${valueSql('since', order)}`], orderBy([order]));
  for await (const read of readRows(session, reading, select, limits)) yield batchOf(reading, read, null);
  await reader.end();
}

function timeless({ ref, order }: Reading): TrueupError {
  const why = order === null ? `its changes are found by ${ref.changes.by}` : `its cursor column '${order.name}' holds no time`;
  return new TrueupError('E_COMPARE_UNSUPPORTED', `Stream '${ref.name}' cannot tell which rows changed since a time: ${why}.`, {
    hint: 'Compare all of its rows, without `--since`.',
  });
}
