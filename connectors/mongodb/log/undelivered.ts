import type { Batch, Cell, Field, StreamRef } from '../../../src/sdk.ts';
import { OP, TrueupError, isTrueupError } from '../../../src/sdk.ts';
import { readRange } from '../read/backfill.ts';
import type { BatchLimits } from '../read/batches.ts';
import { readBy } from '../read/fetch-by.ts';
import type { SourceContext, StreamContext } from '../stream-context.ts';
import { keyText } from '../read/undelivered.ts';
import { cursorAtTime } from './cursor.ts';
import type { LogCursor } from './cursor.ts';
import { readLog } from './read-log.ts';

export interface LogLookup extends SourceContext {
  readonly ref: StreamRef;
  readonly limits: BatchLimits;
  readonly signal: AbortSignal;
}

/** Which of these keys a drain from the cursor would deliver now: the log is read to find out. */
export async function readUndeliveredLog(
  context: LogLookup,
  { after, keys }: { readonly after: LogCursor | null; readonly keys: readonly (readonly Cell[])[] },
): Promise<boolean[]> {
  const found = new Set<string>();
  let fields: Field[] = [];
  for await (const batch of keyChanges(context, after)) {
    if (batch === 'all') return keys.map(() => true);
    fields = batch.fields;
    for (const key of batch.keys) found.add(keyText(fields, key));
  }
  return keys.map((key) => found.size > 0 && found.has(keyText(fields, key)));
}

/** Documents of which the log tells since a time, as they are now. */
export async function* readChangedInLog(context: LogLookup, sinceMs: number): AsyncGenerator<Batch> {
  const { ref, signal } = context;
  const of: StreamContext = { ...context, ref, signal };
  const since = cursorAtTime(BigInt(Math.max(1, Math.floor(sinceMs / 1000))) << 32n);
  try {
    for await (const batch of keyChanges(context, since)) {
      if (batch === 'all') {
        yield* readRange(of, { range: {}, from: null, chunk: false, cursors: false });
        return;
      }
      yield* readBy(of, { fields: ref.key, values: batch.keys });
    }
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_POSITION_LOST') throw error;
    throw new TrueupError(
      'E_COMPARE_UNSUPPORTED',
      `Stream '${ref.name}': the oplog does not reach back to ${new Date(sinceMs).toISOString()}, so nothing tells what changed since.`,
      { cause: error },
    );
  }
}

interface ChangedKeys {
  readonly fields: Field[];
  readonly keys: readonly (readonly Cell[])[];
}

/** Keys of the changes up to now; `all`: everything was replaced. */
async function* keyChanges(
  { session, knowledge, ref, limits, signal }: LogLookup,
  after: LogCursor | null,
): AsyncGenerator<ChangedKeys | 'all'> {
  const { lookups: _none, ...own } = ref;
  const streams = [{ ...own, fields: ref.key, maxRecordBytes: Number.POSITIVE_INFINITY }];
  for await (const { stream, shape, records, ops } of readLog({ session, knowledge }, { streams, until: 'drain', signal, limits }, after)) {
    if (stream === null) continue;
    if (ops?.includes(OP.truncate) === true) yield 'all';
    const keys = records.rows().map((row) => shape.key.map((index) => row[index]));
    yield { fields: shape.key.map((index) => shape.fields[index] as Field), keys };
  }
}
