import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from 'trueup/sdk';
import type { Batch, Cursor, FetchRequest, StreamRef } from 'trueup/sdk';
import { gather } from './batches.ts';
import { changeTableOf, lastChange, notedOf, requireChanges } from './change-table.ts';
import type { Noted } from './change-table.ts';
import { readChangesCursor } from './cursor.ts';
import type { ChangesCursor } from './cursor.ts';
import type { Sql, SqliteFile, Value } from './file.ts';
import { equalTo, quote, quoteAll } from './quote.ts';
import { columnOf, quoted } from './table.ts';
import { cellOf } from './value.ts';
import type { View } from './view.ts';

export type ViewOf = (sql: Sql, stream: StreamRef) => View;

/**
 * Everything that was noted after the cursor, each record as it is when its turn comes. What is to be delivered is listed at the beginning, in a temporary table
 * of this connection: a record that is written without pause moves ahead of any reader, and would never be met in the change table itself.
 */
export async function* changesOf(file: SqliteFile, viewOf: ViewOf, request: FetchRequest, pollMs: number): AsyncGenerator<Batch> {
  const { signal, until } = request;
  const stream = request.streams[0] as StreamRef;
  const connection = file.connect();
  try {
    let after = readChangesCursor(request.after);
    while (true) {
      const from = await connection.read(signal, (sql) => listPending(sql, viewOf(sql, stream), after));
      let seq = BigInt(from.seq);
      while (true) {
        const batch = await connection.read(signal, (sql) => nextBatch(sql, viewOf(sql, stream), request, { ...from, seq: String(seq) }));
        if (batch === null) break;
        yield batch;
        after = readChangesCursor(batch.cursor);
        seq = BigInt(after?.seq ?? 0);
        if (until === 'chunk') return;
      }
      if (until !== 'follow') return;
      await sleep(Math.min(pollMs, request.maxDelayMs ?? pollMs), undefined, { signal });
    }
  } finally {
    connection.close();
  }
}

/** Where the reading begins. */
function listPending(sql: Sql, view: View, after: ChangesCursor | null): ChangesCursor {
  const { name, columns } = changeTableOf(view.table);
  const from = checkedCursor(sql, view, after);
  sql.exec('drop table if exists temp.pending');
  sql.exec(`create temp table pending as select seq, at, ${quoteAll(columns)} from main.${quote(name)} where seq > ${BigInt(from.seq)}`);
  sql.exec('create unique index temp.pending_seq on pending (seq)');
  return from;
}

/** @throws {TrueupError} `E_POSITION_LOST` for a cursor of another making of the change table, or of a later state of the file */
export function checkedCursor(sql: Sql, view: View, after: ChangesCursor | null): ChangesCursor {
  const changes = requireChanges(sql, view.table);
  if (after === null) return { changes, seq: '0' };
  if (after.changes === changes && BigInt(after.seq) <= lastChange(sql, view.table)) return after;
  throw new TrueupError(
    'E_POSITION_LOST',
    `The noted changes of table '${view.table.name}' do not reach to change ${after.seq}: they were made again, or an older file was restored.`,
  );
}

function nextBatch(sql: Sql, view: View, request: FetchRequest, after: ChangesCursor): Batch | null {
  const { columns, key } = changeTableOf(view.table);
  const pending = sql.all(
    `select seq, at, ${quoteAll(columns)} from temp.pending where seq > ? order by seq limit ?`,
    BigInt(after.seq),
    BigInt(request.batchRows),
  );
  const lookUp = `select ${view.select} from ${quoted(view.table)} where ${equalTo(key)}`;
  const gathering = gather(view);
  let last: Noted | null = null;
  for (const noted of pending.map(notedOf)) {
    const values = sql.first(lookUp, ...noted.key);
    if (values === undefined) removeNoted(view, gathering, noted);
    else gathering.upsert(values);
    last = noted;
    if (gathering.bytes >= request.batchBytes) break;
  }
  if (last === null) return null;
  const cursor: ChangesCursor = { changes: after.changes, seq: String(last.seq) };
  return gathering.batch({ ...cursor } as Cursor, { text: `change ${last.seq}`, timeMs: last.atMs });
}

function removeNoted(view: View, gathering: ReturnType<typeof gather>, { key, seq }: Noted): void {
  const cells = key.map((value, index) => keyCell(view, index, value));
  // Nobody can have been told of a record whose key cannot be read.
  if (cells.every((cell) => cell !== null && cell !== undefined)) return gathering.remove(cells);
  gathering.reject({
    position: `change ${seq}`,
    code: 'E_RECORD_UNREADABLE',
    message: `The key of a deleted row of '${view.table.name}' cannot be read.`,
  });
}

/** In the order of the table's own key, which is that of the stream. */
export function keyCell(view: View, index: number, value: Value): ReturnType<typeof cellOf> {
  const name = view.stream.key[index] ?? '';
  return cellOf(columnOf(view.table, name)?.type ?? 'unknown', value);
}
