import { describe, expect, it } from 'vitest';
import type { Row, Source } from '../../src/sdk.ts';
import { OP, cellRecords } from '../../src/sdk.ts';
import { sourceChecks } from '../../src/testing/index.ts';
import type { SourceFixture } from '../../src/testing/index.ts';
import { memorySourceFixture } from '../connectors/memory/fixtures.ts';
import {
  dropRecord,
  expectNotice,
  forgetVersion,
  isLogCursor,
  keepRecords,
  mapBatches,
  onFeeds,
  onRequest,
  skipRestOfTie,
  withRows,
} from './planting.ts';

const NEVER = new AbortController().signal;

describe('the source suite notices', () => {
  const faulty = (name: string, fault: string, plant: (source: Source) => Source, by: 'log' | 'cursor' = 'log'): void =>
    it(fault, async () => {
      const open = (): SourceFixture => memorySourceFixture(by === 'log' ? { by } : { by, field: 'changed' });
      await expectNotice(sourceChecks, name, open, (fixture) => ({ ...fixture, open: () => plant(fixture.open()) }));
    });

  faulty('delivers every record once from the beginning', 'a record that is lost', (source) => dropRecord(source, 13));
  faulty('delivers every record once from the beginning', 'a record that comes twice', (source) =>
    mapBatches(source, (batch) => ({ ...batch, records: withRows(batch.records.rows(), batch.records.rows()[0]), ops: null })),
  );
  faulty('delivers every record once from the beginning', 'a cell that is no carrier of its type', (source) =>
    mapBatches(source, (batch) => ({
      ...batch,
      records: cellRecords({ rows: batch.records.rows().map(([id, ...rest]) => [Number(id), ...rest]), bytes: batch.records.bytes }),
    })),
  );
  faulty('delivers every record once from the beginning', 'a cursor over 64 KiB', (source) =>
    mapBatches(source, (batch) => ({ ...batch, cursor: { log: 1, pad: 'x'.repeat(70_000) } })),
  );
  faulty('delivers nothing again from the cursor of a finished drain', 'records that are repeated from a cursor', (source) =>
    onRequest(source, (asked) => ({ ...asked, after: null })),
  );
  faulty(
    'resumes after the cursor of any batch, without loss and without repeating what was before it',
    'a cursor that stands behind its batch',
    (source) => mapBatches(source, (batch) => ({ ...batch, cursor: isLogCursor(batch.cursor) ? { log: batch.cursor.log - 5 } : null })),
  );
  faulty(
    'resumes after the cursor of any batch, without loss and without repeating what was before it',
    'a cursor that stands beyond its batch',
    (source) => mapBatches(source, (batch) => ({ ...batch, cursor: isLogCursor(batch.cursor) ? { log: batch.cursor.log + 1 } : null })),
  );
  faulty(
    'never loses a part of many records that share one cursor value',
    'a tie that is split without a tiebreak',
    skipRestOfTie,
    'cursor',
  );
  faulty(
    'delivers what was committed late, below a position that was passed already',
    'late commits that are lost',
    (source) => onRequest(source, forgetVersion),
    'cursor',
  );
  faulty('delivers deletes', 'deletes that are lost', (source) =>
    mapBatches(source, (batch) => keepRecords(batch, (op) => op !== OP.delete)),
  );
  faulty('ends a drain though somebody goes on writing', 'a drain that runs after its writers', (source) =>
    onRequest(source, (asked) => ({ ...asked, until: 'follow' })),
  );
  faulty('follows: waits for changes and delivers them', 'a follower that ends by itself', (source) =>
    onRequest(source, (asked) => ({ ...asked, until: 'drain' })),
  );
  faulty('bounds a batch by its bytes', 'batches without a bound of bytes', (source) =>
    onRequest(source, (asked) => ({ ...asked, batchBytes: Infinity })),
  );
  faulty('keeps one shape object for a read in which no field changed', 'shapes that change without a reason', (source) =>
    mapBatches(source, (batch) => ({ ...batch, shape: { ...batch.shape } })),
  );
  faulty('delivers from a start cursor everything that is committed after it', 'a start cursor from the future', (source) => ({
    ...source,
    startCursor: async () => ({ log: 11 }),
  }));
  faulty('stops following promptly when it is aborted while it waits', 'an abort that is not heard', (source) =>
    onRequest(source, (asked) => ({ ...asked, signal: NEVER })),
  );
  faulty('splits a backfill into ranges that cover every record once', 'ranges that overlap', (source) =>
    onFeeds(source, ({ before: _, ...range }) => range),
  );
  faulty('splits a backfill into ranges that cover every record once', 'ranges with a gap', (source) =>
    onFeeds(source, (range) => ('from' in range ? { ...range, from: ['70'] } : range)),
  );
  faulty('covers records that come after the split, at either end', 'ranges that end at the last record there was', (source) =>
    onFeeds(source, (range) => ('before' in range ? range : { ...range, to: ['1050'] })),
  );
  faulty('reads a range in chunks that end by themselves, until one is empty', 'chunks that do not end', (source) =>
    onRequest(source, (asked) => ({ ...asked, until: 'drain' })),
  );
  faulty(
    'hands a record over maxRecordBytes to the dead letters by its key, and delivers the others',
    'a record over the limit that is dropped',
    (source) => mapBatches(source, ({ rejected: _, ...batch }) => batch),
  );
  faulty('looks records up by key, as they are now, and leaves out what is not there', 'a look-up that finds everything', (source) => ({
    ...source,
    fetchBy: (stream, _fields, _values, signal) => source.fetchBy?.(stream, [], [[]], signal) ?? expect.unreachable(),
  }));

  const scanning = 'scans every record once, as it is now, and nothing else';
  const onScan = (source: Source, change: (rows: readonly Row[]) => readonly Row[]): Source => ({
    ...source,
    async *scan(stream, signal) {
      for await (const batch of source.scan?.(stream, signal) ?? [])
        yield { ...batch, records: cellRecords({ rows: change(batch.records.rows()), bytes: batch.records.bytes }) };
    },
  });
  faulty(scanning, 'a record that a scan leaves out', (source) => onScan(source, (rows) => rows.slice(1)));
  faulty(scanning, 'a record that a scan gives twice', (source) => onScan(source, (rows) => [...rows, ...rows.slice(0, 1)]));
  faulty('scans records over maxRecordBytes as rejects, by their key', 'a large record that a scan drops', (source) => ({
    ...source,
    async *scan(stream, signal) {
      for await (const { rejected: _, ...batch } of source.scan?.(stream, signal) ?? []) yield batch;
    },
  }));

  type Asked = Parameters<NonNullable<Source['undelivered']>>[0];
  const onAsked = (source: Source, change: (asked: Asked) => Asked): Source => ({
    ...source,
    undelivered: async (asked, signal) => (await source.undelivered?.(change(asked), signal)) ?? [],
  });
  const drained = 'says that nothing is to come of what was drained, and that what changed since is';
  faulty(drained, 'everything said to be to come', (source) => onAsked(source, (asked) => ({ ...asked, after: null })));
  faulty(drained, 'nothing said to be to come', (source) => ({
    ...source,
    undelivered: async ({ keys }) => keys.map(() => false),
  }));
  faulty(
    'says of what was committed late, below a position that was passed already, that it is to come',
    'a late commit that is overlooked',
    (source) => onAsked(source, forgetsVersion),
    'cursor',
  );
  const cutOff = 'says inside of a drain that was cut off what the rest of it would deliver';
  const beyondAll = { head: ['999', '999'], seen: Number.MAX_SAFE_INTEGER };
  faulty(
    cutOff,
    'the rest of a drain that is overlooked',
    (source) => onAsked(source, (asked) => ({ ...asked, after: beyondAll })),
    'cursor',
  );
  faulty(
    'says from the beginning that everything is to come, and nothing of what is not there',
    'records that are not there',
    (source) => ({
      ...source,
      undelivered: async ({ keys }) => keys.map(() => true),
    }),
  );

  function forgetsVersion(asked: Asked): Asked {
    return asked.after === null ? asked : { ...asked, after: { ...(asked.after as { head: string[] }), seen: Number.MAX_SAFE_INTEGER } };
  }
});
