import { keyNames } from '../../src/sdk.ts';
import type { Batch, Source, StreamRef, Target, TargetStream } from '../../src/sdk.ts';
import { markName } from './ddl-create.ts';
import { quoteIdentifier } from './quote.ts';

const SCAN = { batchRows: 10_000, batchBytes: 8 * 1024 * 1024 };

/** Reading the target back: as the source side reads any table, under the names of the stream that is written. */
export function targetReads(tables: Source): Required<Pick<Target, 'scan' | 'fetchBy'>> {
  return {
    scan: ({ stream, fields, signal }) => {
      const feed = { id: `scan:${stream.target}`, kind: 'backfill' as const, streams: [stream.target] };
      const streams = [tableRef(stream, fields)];
      return named(stream, tables.fetchChanges({ feed, streams, after: null, forms: new Map(), ...SCAN, until: 'drain', signal }));
    },
    fetchBy: (stream, fields, values, signal) =>
      named(
        stream,
        tables.fetchBy?.(
          tableRef(
            stream,
            stream.shape.fields.map((field) => field.name),
          ),
          fields,
          values,
          signal,
        ) ?? nothing(),
      ),
  };
}

function tableRef(stream: TargetStream, fields: readonly string[]): StreamRef {
  const mark = markName(stream);
  return {
    name: stream.target,
    changes: { by: 'snapshot' },
    key: keyNames(stream.shape),
    fields,
    except: [],
    maxRecordBytes: Infinity,
    // What is marked as deleted is not there, whether the mark is a boolean or an instant.
    ...(mark === null ? {} : { where: `coalesce(t.${quoteIdentifier(mark)}::text, 'false') = 'false'` }),
  };
}

async function* named(stream: TargetStream, batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  for await (const batch of batches) if (batch.records.count > 0) yield { ...batch, stream: stream.stream, cursor: null };
}

async function* nothing(): AsyncGenerator<Batch> {}
