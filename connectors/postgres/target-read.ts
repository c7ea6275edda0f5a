import { keyNames } from '../../src/sdk.ts';
import type { Batch, Source, StreamRef, Target, TargetStream } from '../../src/sdk.ts';
import { markName } from './ddl/create.ts';
import { parseStreamName, quoteIdentifier } from './quote.ts';
import { withReading } from './session/session.ts';
import type { Server } from './session/session.ts';
import { storedFields } from './values/stored-as.ts';
import { readTables } from './ddl/target-table.ts';

/** Reading the target back: as the source side reads any table, under the names of the stream that is written. */
export function targetReads(server: Server, tables: Source): Required<Pick<Target, 'scan' | 'fetchBy' | 'storedAs' | 'digests'>> {
  const columnsOf = (stream: TargetStream, signal: AbortSignal) =>
    withReading(server, signal, async (session): Promise<ReadonlySet<string> | null> => {
      const relation = parseStreamName(stream.target, server.options.schema);
      const found = await readTables(session, relation === null ? [] : [relation]);
      return found.tables[0] === undefined ? null : new Set(found.tables[0].columns.map((column) => column.name));
    });

  return {
    storedAs: (stream, signal) => withReading(server, signal, (session) => storedFields(session, stream, server.options.schema)),
    async *scan({ stream, fields, signal }) {
      const columns = await columnsOf(stream, signal);
      if (columns === null) return;
      yield* named(stream, tables.scan?.(tableRef(stream, { fields, columns }), signal));
    },
    digests: async (stream, fields, signal) => {
      const columns = await columnsOf(stream, signal);
      return columns === null ? null : ((await tables.digests?.(tableRef(stream, { ...fields, columns }), fields, signal)) ?? null);
    },
    async *fetchBy(stream, fields, values, signal) {
      const columns = await columnsOf(stream, signal);
      if (columns === null) return;
      const stored = stream.shape.fields.map((field) => field.name).filter((name) => columns.has(name));
      yield* named(stream, tables.fetchBy?.(tableRef(stream, { fields: stored, columns }), fields, values, signal));
    },
  };
}

/** The stream's table. What is marked as deleted is not there, whether the mark is a boolean or an instant. */
export function tableRef(
  stream: TargetStream,
  { fields, columns }: { readonly fields: readonly string[]; readonly columns: ReadonlySet<string> },
): StreamRef {
  const mark = markName(stream);
  return {
    name: stream.target,
    changes: { by: 'snapshot' },
    key: keyNames(stream.shape),
    fields,
    except: [],
    maxRecordBytes: Infinity,
    ...(mark === null || !columns.has(mark) ? {} : { where: `coalesce(t.${quoteIdentifier(mark)}::text, 'false') = 'false'` }),
  };
}

async function* named(stream: TargetStream, batches: AsyncIterable<Batch> | undefined): AsyncGenerator<Batch> {
  for await (const batch of batches ?? []) if (batch.records.count > 0) yield { ...batch, stream: stream.stream, cursor: null };
}
