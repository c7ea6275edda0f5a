import { cellRecords, fieldIndex } from '../../src/sdk.ts';
import type { Batch, Cell, Row, Target, TargetStream } from '../../src/sdk.ts';
import { cellsText, rowBytes } from './cells.ts';
import type { MemoryDatabase } from './database.ts';
import { openMemoryLane } from './lane.ts';
import { memoryStore } from './store.ts';
import { applyTarget, planTarget } from './target-plan.ts';
import { openViews, requireField } from './view.ts';

const SCAN_ROWS = 1000;

export function openMemoryTarget(database: MemoryDatabase, now: () => number = Date.now): Target {
  const viewOf = openViews();

  function* read(stream: TargetStream, fields: readonly string[], matches: (row: Row) => boolean): Generator<Batch> {
    const collection = database.collections.get(stream.target);
    if (collection === undefined) return;
    const key = stream.shape.key.flatMap((index) => stream.shape.fields[index]?.name ?? []);
    const { shape, project } = viewOf(collection.shape, {
      name: stream.target,
      changes: { by: 'log' },
      key,
      fields,
      except: [],
      maxRecordBytes: Infinity,
    });
    const rows = database.rows(stream.target).filter(matches).map(project);
    for (let from = 0; from < rows.length; from += SCAN_ROWS) {
      const page = rows.slice(from, from + SCAN_ROWS);
      const records = cellRecords({ rows: page, bytes: page.reduce((sum, row) => sum + rowBytes(row), 0) });
      yield {
        stream: stream.stream,
        shape,
        records,
        ops: null,
        distinctKeys: true,
        cursor: null,
        position: { text: `row ${from + page.length}` },
      };
    }
  }

  return {
    identity: async () => database.identity,
    writes: 'state',
    ops: new Set(['upsert', 'patch', 'delete', 'truncate'] as const),
    replacesWithin: true,
    checkpoints: memoryStore(database.control, now),
    plan: async (streams) => ({ streams: streams.map((stream) => planTarget(database, stream)) }),
    apply: async (plan) => applyTarget(database, plan),
    openLane: async ({ owner, streams, checkpoints }) => openMemoryLane({ database, owner, streams, checkpoints, now }),
    storedAs: async (stream) => {
      const collection = database.collections.get(stream.target);
      return stream.shape.fields.map(({ name, type }) =>
        collection === undefined || fieldIndex(collection.shape, name) >= 0 ? { type, convert: (cell: Cell) => cell } : null,
      );
    },
    writtenBy: async (stream, key) => {
      const version = database.collections.get(stream.target)?.rows.get(cellsText(key))?.version;
      const found = database.commits.find(({ after, upTo }) => version !== undefined && after < version && version <= upTo);
      if (found === undefined) return null;
      const { after: _after, upTo: _upTo, ...by } = found;
      return by;
    },
    async *scan({ stream, fields, signal }): AsyncGenerator<Batch> {
      for (const batch of read(stream, fields, () => true)) {
        signal.throwIfAborted();
        yield batch;
      }
    },
    async *fetchBy(stream, fields, values: readonly (readonly Cell[])[], signal): AsyncGenerator<Batch> {
      signal.throwIfAborted();
      const collection = database.collections.get(stream.target);
      if (collection === undefined) return;
      const indices = fields.map((name) => requireField(collection.shape, stream.target, name));
      const wanted = new Set(values.map(cellsText));
      const stored = stream.shape.fields.map((field) => field.name).filter((name) => fieldIndex(collection.shape, name) >= 0);
      yield* read(stream, stored, (row) => wanted.has(cellsText(indices.map((index) => row[index]))));
    },
    close: async () => {},
  };
}
