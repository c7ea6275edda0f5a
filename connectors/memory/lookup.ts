import type { Batch, Cell, Row, Source, StreamRef } from '../../src/sdk.ts';
import { batches } from './batches.ts';
import { cellsText, plainText } from './cells.ts';
import type { MemoryDatabase } from './database.ts';
import { matcher, requireField } from './view.ts';
import type { View } from './view.ts';

/** Records of a stream as they are now: all of them, or those that are looked for. */
export function memoryLookup(database: MemoryDatabase, view: (stream: StreamRef) => View): Required<Pick<Source, 'scan' | 'fetchBy'>> {
  async function* found(stream: StreamRef, wanted: (row: Row) => boolean, signal: AbortSignal): AsyncGenerator<Batch> {
    signal.throwIfAborted();
    const { shape, project } = view(stream);
    const matches = matcher(database.collection(stream.name), stream.where);
    const limits = { rows: 1000, bytes: Infinity, recordBytes: stream.maxRecordBytes };
    const changes = database
      .rows(stream.name)
      .filter(matches)
      .map(project)
      .filter(wanted)
      .map((row) => {
        const position = { text: plainText(row[shape.key[0] ?? -1]) ?? '' };
        return { stream: stream.name, shape, op: 'upsert' as const, row, cursor: null, position };
      });
    for (const batch of batches(changes, limits, true)) {
      signal.throwIfAborted();
      yield batch;
    }
  }

  return {
    scan: (stream, signal) => found(stream, () => true, signal),
    async *fetchBy(stream, fields, values: readonly (readonly Cell[])[], signal) {
      const { shape } = view(stream);
      const indices = fields.map((name) => requireField(shape, stream.name, name));
      const wanted = new Set(values.map(cellsText));
      yield* found(stream, (row) => wanted.has(cellsText(indices.map((index) => row[index]))), signal);
    },
  };
}
