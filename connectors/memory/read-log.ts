import type { Feed, Row, Shape, StreamRef } from '../../src/sdk.ts';
import type { Found } from './batches.ts';
import type { LogEntry } from './collection.ts';
import type { LogCursor } from './cursor.ts';
import type { MemoryDatabase } from './database.ts';
import { matcher } from './view.ts';
import type { View } from './view.ts';

export interface LogRead {
  readonly database: MemoryDatabase;
  readonly view: (from: Shape, stream: StreamRef) => View;
  readonly feed: Feed;
  readonly streams: readonly StreamRef[];
}

/** Everything that happened to these streams in order, with `after < sequence <= upTo`. Resumable between transactions only. */
export function* logChanges(read: LogRead, after: number, upTo: number): Generator<Found> {
  const streams = new Map(
    read.streams.map((stream) => [
      stream.name,
      { stream, matches: matcher(read.database.collection(stream.name), read.feed.where ?? stream.where) },
    ]),
  );
  for (const entry of read.database.log(after, upTo)) {
    const wanted = streams.get(entry.collection);
    if (wanted === undefined || (entry.op === 'upsert' && !wanted.matches(entry.row ?? []))) continue;
    const view = read.view(entry.shape, wanted.stream);
    const cursor: LogCursor | null = entry.last ? { log: entry.sequence } : null;
    yield {
      stream: entry.collection,
      shape: view.shape,
      op: entry.op,
      row: view.project(entry.row ?? keyRow(entry)),
      cursor: cursor && { ...cursor },
      position: { text: `log entry ${entry.sequence}`, timeMs: entry.timeMs },
    };
  }
}

/** A row of which only the key cells are set. */
function keyRow({ shape, key }: LogEntry): Row {
  return shape.fields.map((_field, index) => key[shape.key.indexOf(index)]);
}
