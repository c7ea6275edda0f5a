import type { StreamRef } from '../../src/sdk.ts';
import { openDecoder } from './decode.ts';
import type { Decoded } from './decode.ts';
import type { View } from './knowledge.ts';
import type { SourceContext } from './source-context.ts';
import { framesFrom, headOfFile, isComplete } from './table.ts';

export interface PlacedRecord {
  /** Grows from record to record, and is the same in the next reading. */
  readonly place: number;
  readonly decoded: Exclude<Decoded, 'news'>;
}

export interface PlacedRecords {
  /** What the records are aligned to. */
  readonly view: View;
  readonly records: readonly PlacedRecord[];
}

/** Offsets of one file lie below it; so many files fit into a number. */
const FILE_STRIDE = 2 ** 42;

/** Every record of every file of a stream, in the order of the files. */
export async function* allRecords(context: SourceContext, ref: StreamRef, signal: AbortSignal): AsyncGenerator<PlacedRecords> {
  const { options } = context;
  let view = await context.view(ref, signal);
  const files = await context.catalog.files(view.knowledge.stream, signal);
  for (const [index, facts] of files.entries()) {
    const file = await context.open(facts, signal);
    try {
      const { table } = await headOfFile(file, options, signal);
      if (table.columns?.length === 0) continue;
      view = context.refreshed(view);
      const decoding = { file: file.name, options, columns: table.columns };
      let decoder = openDecoder({ ...decoding, view });
      const from = { start: table.offset, line: table.line, maxRecordBytes: ref.maxRecordBytes, signal };
      for await (const found of framesFrom(file, options, from)) {
        let records: PlacedRecord[] = [];
        for (const frame of found) {
          signal.throwIfAborted();
          if (!frame.ended && !isComplete(file, options)) continue;
          let decoded = decoder.decode(frame);
          if (decoded === 'news') {
            if (records.length > 0) yield { view, records };
            records = [];
            view = context.refreshed(view);
            decoder = openDecoder({ ...decoding, view });
            decoded = decoder.decode(frame);
          }
          if (decoded !== 'news') records.push({ place: index * FILE_STRIDE + frame.start, decoded });
        }
        if (records.length > 0) yield { view, records };
      }
    } finally {
      await file.close();
    }
  }
}
