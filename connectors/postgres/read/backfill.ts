import type { Batch, Feed, Json, KeyBounds } from '../../../src/sdk.ts';
import { batchOf, readRows } from '../copy/read.ts';
import type { BatchLimits } from '../copy/read.ts';
import { OversizedRowFound } from '../copy/messages.ts';
import { writeCursor } from '../changes/cursor.ts';
import type { BackfillCursor } from '../changes/cursor.ts';
import { asWire, columnSql, compareSql, orderBy, placeValues, selectSql, setValues } from './reading.ts';
import type { Reading } from './reading.ts';
import type { StreamReader } from './stream-reader.ts';

/** What part of a stream a backfill feed covers: keys as the server's own text, compared in the database by the columns' own order. Absent: open. */
export interface KeyRange {
  readonly after?: readonly string[];
  readonly from?: readonly string[];
  readonly to?: readonly string[];
}

export function parseRange(feed: Feed): KeyRange {
  return (feed.range ?? {}) as KeyRange;
}

export function rangeJson(range: KeyRange): Json {
  return Object.fromEntries(Object.entries(range).filter(([, key]) => key !== undefined)) as Json;
}

export interface RangeSetup {
  readonly reader: StreamReader;
  readonly range: KeyRange;
  readonly limits: BatchLimits;
  readonly maxSnapshotMs: number;
  /** One batch only. */
  readonly chunk: boolean;
}

/** The rows of a key range by key, in one snapshot after another; the changes feed delivers whatever changes in between. */
export async function* readRange(setup: RangeSetup, from: BackfillCursor | null): AsyncGenerator<Batch> {
  const { reader, limits, chunk } = setup;
  let after = from?.k ?? null;
  let { wire } = limits;
  for (;;) {
    const { reading: full } = await reader.begin();
    const byKey: Reading = { ...full, order: null, orderKind: 'counter' };
    const reading = wire === undefined ? byKey : asWire(byKey, wire);
    const session = await reader.session();
    const { conditions, values } = rangeSql(reading, setup.range, after);
    await setValues(session, values);
    const select = selectSql(reading, conditions, `${orderBy(reading.key)}${chunk ? ` limit ${limits.batchRows}` : ''}`);
    let firstRowAt: number | null = null;
    let late = false;
    try {
      for await (const read of readRows(session, reading, select, limits)) {
        firstRowAt ??= performance.now();
        after = read.place?.k ?? after;
        yield batchOf(reading, read, after === null ? null : writeCursor({ kind: 'backfill', k: after }));
        if (chunk) return;
        late = performance.now() - firstRowAt > setup.maxSnapshotMs;
        if (late) break;
      }
      if (!late) return await reader.end();
    } catch (error) {
      if (!(error instanceof OversizedRowFound)) throw error;
      wire = undefined;
    }
    reader.drop();
  }
}

function rangeSql(
  reading: Reading,
  range: KeyRange,
  after: readonly string[] | null,
): { readonly conditions: string[]; readonly values: Record<string, string> } {
  const { key } = reading;
  const conditions: string[] = [];
  const values: Record<string, string> = {};
  const add = (operator: '>' | '>=' | '<=', prefix: string, texts: readonly string[]) => {
    const columns = key.slice(0, texts.length); // bounds that a person gave may name the first key columns only
    conditions.push(compareSql(columns, operator, prefix));
    Object.assign(values, placeValues(prefix, texts));
  };
  if (after !== null) add('>', 'p', after);
  else if (range.after !== undefined) add('>', 'r', range.after);
  else if (range.from !== undefined) add('>=', 'r', range.from);
  if (range.to !== undefined) add('<=', 't', range.to);
  return { conditions: looseKeys(reading, range, after, conditions), values };
}

/** A view may hold rows with NULL in their key, which compare with nothing. They are rejected, once: by the first range. */
function looseKeys({ key }: Reading, range: KeyRange, after: readonly string[] | null, conditions: readonly string[]): string[] {
  const nullable = key.filter((column) => !column.notNull);
  if (nullable.length === 0 || conditions.length === 0 || after !== null || range.after !== undefined || range.from !== undefined)
    return [...conditions];
  return [`((${conditions.join(' and ')}) or ${nullable.map((column) => `${columnSql(column)} is null`).join(' or ')})`];
}

/** Of how many rows boundaries are picked, at least where a sample is taken. */
const SAMPLE_ROWS = 20_000;

/** Splits a stream into at most `partitions` key ranges of about the same number of rows. They touch, never overlap, and are open at both ends unless bounded. */
export async function splitRange(reader: StreamReader, partitions: number, bounds: KeyBounds): Promise<KeyRange[]> {
  const whole: KeyRange = { ...(bounds.from ? { from: bounds.from } : {}), ...(bounds.to ? { to: bounds.to } : {}) };
  if (partitions <= 1) return [whole];
  const { reading } = await reader.begin();
  const marks = await boundaries(reader, { ...reading, order: null }, partitions, whole);
  await reader.end();
  return [...marks, null].map((to, index): KeyRange => {
    const before = marks[index - 1];
    return {
      ...(before ? { after: before } : whole.from ? { from: whole.from } : {}),
      ...(to ? { to } : whole.to ? { to: whole.to } : {}),
    };
  });
}

/** Keys between the parts, in the order of the database; fewer where there are few rows. */
async function boundaries(reader: StreamReader, reading: Reading, partitions: number, whole: KeyRange): Promise<string[][]> {
  const session = await reader.session();
  const { relation, key } = reading;
  const { conditions, values } = rangeSql(reading, whole, null);
  await setValues(session, values);
  const estimate = relation.rowEstimate ?? 0;
  // Bounds may leave little of a sample, so it is taken of whole streams only.
  const sampled = ['table', 'partitioned', 'matview'].includes(relation.kind) && conditions.length === 0 && estimate > SAMPLE_ROWS * 10;
  const percent = Math.min(100, (100 * SAMPLE_ROWS) / Math.max(1, estimate));
  const from = `${relation.from} as t${sampled ? ` tablesample system (${percent.toFixed(6)})` : ''}`;
  const where = [
    ...conditions,
    ...key.filter((column) => !column.notNull).map((column) => `${columnSql(column)} is not null`),
    ...(typeof reading.ref.where === 'string' ? [`(${reading.ref.where}\n)`] : []),
  ];
  const columns = key.map((column, index) => `${columnSql(column)} as k${index}`).join(', ');
  const rows = await session.query(
    `select ${key.map((_, index) => `s.k${index}`).join(', ')}
       from (select ${columns}, pg_catalog.row_number() over (${orderBy(key)}) as n, pg_catalog.count(*) over () as total
               from ${from}${where.length > 0 ? ` where ${where.join(' and ')}` : ''}) s
      where exists (select from pg_catalog.generate_series(1, $1::int8 - 1) i where s.n = s.total * i / $1::int8)
      order by s.n`,
    [String(partitions)],
  );
  return rows.map((row) => [...row] as string[]);
}
