import type { Batch } from '../../../src/sdk.ts';
import { batchOf, readRows } from '../copy/read.ts';
import type { BatchLimits } from '../copy/read.ts';
import { selectSql } from './reading.ts';
import type { Reading } from './reading.ts';
import type { StreamReader } from './stream-reader.ts';

/** Every row as one snapshot shows it, in whatever order the server finds cheapest. */
export async function* readAll(reader: StreamReader, limits: BatchLimits): AsyncGenerator<Batch> {
  const { reading: full } = await reader.begin();
  const reading: Reading = { ...full, order: null, orderKind: 'counter' };
  const session = await reader.session();
  for await (const read of readRows(session, reading, selectSql(reading, [], ''), limits)) yield batchOf(reading, read, null);
  await reader.end();
}
