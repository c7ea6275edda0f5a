import { TrueupError } from 'trueup/sdk';
import type { Batch, Cursor, Feed, FetchRequest, Source, SourcePlan, StreamRef } from 'trueup/sdk';
import { lastChange, requireChanges } from './change-table.ts';
import { explainCursor, readKeyCursor } from './cursor.ts';
import type { SqliteFile } from './file.ts';
import { identityOf } from './identity.ts';
import { lookup } from './lookup.ts';
import { changesOf } from './read-changes.ts';
import { rangeBatch, splitRanges, whereText } from './read-range.ts';
import type { KeyRange } from './read-range.ts';
import { discover, planStream } from './source-plan.ts';
import { openViews } from './view.ts';

export function openSource(file: SqliteFile, pollMs: number): Source {
  const viewOf = openViews();

  async function* range(request: FetchRequest): AsyncGenerator<Batch> {
    const { feed, signal, until, batchRows, batchBytes } = request;
    const stream = request.streams[0] as StreamRef;
    let { after } = request;
    while (true) {
      const batch: Batch | null = await file.read(signal, (sql) =>
        rangeBatch(sql, {
          view: viewOf(sql, stream),
          range: (feed.range ?? {}) as KeyRange,
          where: whereText(feed.where ?? stream.where),
          after: readKeyCursor(after)?.key ?? null,
          batchRows,
          batchBytes,
        }),
      );
      if (batch === null) return;
      yield batch;
      after = batch.cursor;
      if (until === 'chunk') return;
    }
  }

  return {
    identity: (signal) => file.read(signal, (sql) => identityOf(sql, file.path)),
    discover: (signal) => file.read(signal, discover),
    plan: (streams, signal): Promise<SourcePlan> =>
      file.read(signal, (sql) => ({ streams: streams.map((stream) => planStream(sql, viewOf, stream)) })),
    apply: async (plan, signal) => {
      const statements = [...new Set(plan.streams.flatMap((stream) => stream.statements))];
      if (statements.length > 0) await file.write(signal, (sql) => statements.forEach((statement) => sql.exec(statement)));
    },
    feeds: (streams) => streams.map(({ name }): Feed => ({ id: `changes:${name}`, kind: 'changes', streams: [name] })),
    startCursor: (_feed, streams, signal): Promise<Cursor> =>
      file.read(signal, (sql) => {
        const { table } = viewOf(sql, streams[0] as StreamRef);
        return { changes: requireChanges(sql, table), seq: String(lastChange(sql, table)) };
      }),
    splitBackfill: (stream, partitions, signal, bounds = {}): Promise<Feed[]> =>
      file.read(signal, (sql) =>
        splitRanges(sql, viewOf(sql, stream), partitions, bounds).map((part, index): Feed => ({
          id: `backfill:${stream.name}:${index + 1}`,
          kind: 'backfill',
          streams: [stream.name],
          range: { ...part },
        })),
      ),
    fetchChanges: (request) => {
      const by = request.streams[0]?.changes.by;
      if (request.feed.kind === 'backfill' || by === 'snapshot') return range(request);
      if (by === 'log') return changesOf(file, viewOf, request, pollMs);
      throw new TrueupError('E_CHANGES_UNSUPPORTED', `SQLite cannot deliver changes by '${String(by)}'.`);
    },
    ...lookup(file, viewOf),
    explainCursor,
    close: async () => file.close(),
  };
}
