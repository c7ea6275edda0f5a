import { TrueupError } from 'trueup/sdk';
import type { Batch, Cell, Source, StreamRef } from 'trueup/sdk';
import { gather } from './batches.ts';
import { changeTableOf, lastChange, notedOf, requireChanges } from './change-table.ts';
import { readChangesCursor } from './cursor.ts';
import type { SqliteFile, Value } from './file.ts';
import { equalTo, quote, quoteAll } from './quote.ts';
import { checkedCursor } from './read-changes.ts';
import type { ViewOf } from './read-changes.ts';
import { rangeBatch, whereText } from './read-range.ts';
import { quoted } from './table.ts';
import { valueOf } from './value.ts';
import { requireColumn } from './view.ts';
import type { View } from './view.ts';

const ROWS = 1000;
const BYTES = 4_000_000;

/** Records as they are now: all of them, those that are looked for, those that changed since a time; and what is still to come. */
export function lookup(file: SqliteFile, viewOf: ViewOf): Required<Pick<Source, 'scan' | 'fetchBy' | 'undelivered' | 'changedSince'>> {
  async function* scan(stream: StreamRef, signal: AbortSignal): AsyncGenerator<Batch> {
    let after: readonly string[] | null = null;
    while (true) {
      const batch: Batch | null = await file.read(signal, (sql) => {
        const where = whereText(stream.where);
        return rangeBatch(sql, { view: viewOf(sql, stream), range: {}, where, after, batchRows: ROWS, batchBytes: BYTES });
      });
      if (batch === null) return;
      after = (batch.cursor as unknown as { readonly key: readonly string[] }).key;
      yield { ...batch, cursor: null };
    }
  }

  async function* fetchBy(
    stream: StreamRef,
    fields: readonly string[],
    values: readonly (readonly Cell[])[],
    signal: AbortSignal,
  ): AsyncGenerator<Batch> {
    let next = 0;
    while (next < values.length) {
      const batch: Batch | null = await file.read(signal, (sql) => {
        const view = viewOf(sql, stream);
        const types = fields.map((name) => requireColumn(view.table, name).type);
        const gathering = gather(view);
        while (next < values.length && gathering.count < ROWS && gathering.bytes < BYTES) {
          const wanted = (values[next] ?? []).map(
            (cell, index) => valueOf(types[index] ?? 'unknown', cell, 'error', 'a value that is looked for').value,
          );
          next += 1;
          for (const row of sql.all(`select ${view.select} from ${quoted(view.table)} where ${equalTo(fields)}`, ...wanted))
            gathering.upsert(row);
        }
        return gathering.count === 0 ? null : gathering.batch(null, { text: `look-up ${next} of ${values.length}` });
      });
      if (batch !== null) yield batch;
    }
  }

  return {
    scan,
    fetchBy,
    undelivered: ({ stream, after, keys }, signal) =>
      file.read(signal, (sql) => {
        const view = viewOf(sql, stream);
        const { name, columns } = changeTableOf(view.table);
        const from = BigInt(checkedCursor(sql, view, readChangesCursor(after)).seq);
        const noted = `select 1 from ${quote(name)} where seq > ? and ${equalTo(columns)}`;
        return keys.map((key) => sql.first(noted, from, ...keyValues(view, key)) !== undefined);
      }),
    async *changedSince(stream, sinceMs, signal) {
      if (stream.changes.by !== 'log')
        throw new TrueupError(
          'E_COMPARE_UNSUPPORTED',
          `Nothing says when rows of '${stream.name}' changed: choose \`changes: { by: log }\`.`,
        );
      let [after, upTo]: [bigint, bigint | null] = [0n, null];
      while (true) {
        const found: { batch: Batch; last: bigint } | null = await file.read(signal, (sql) => {
          const view = viewOf(sql, stream);
          requireChanges(sql, view.table);
          upTo ??= lastChange(sql, view.table);
          const { name, columns, key } = changeTableOf(view.table);
          const noted = sql.all(
            `select seq, at, ${quoteAll(columns)} from ${quote(name)} where at >= ? and seq > ? and seq <= ? order by seq limit ${ROWS}`,
            BigInt(Math.floor(sinceMs)),
            after,
            upTo,
          );
          const gathering = gather(view);
          let last = after;
          for (const one of noted.map(notedOf)) {
            const row = sql.first(`select ${view.select} from ${quoted(view.table)} where ${equalTo(key)}`, ...one.key);
            if (row !== undefined) gathering.upsert(row);
            last = one.seq;
            if (gathering.bytes >= BYTES) break;
          }
          return last === after ? null : { batch: gathering.batch(null, { text: `change ${last}` }), last };
        });
        if (found === null) return;
        after = found.last;
        yield found.batch;
      }
    },
  };
}

function keyValues(view: View, key: readonly Cell[]): Value[] {
  return key.map((cell, index) => valueOf(view.shape.fields[view.shape.key[index] ?? -1]?.type ?? 'unknown', cell, 'error', 'a key').value);
}
