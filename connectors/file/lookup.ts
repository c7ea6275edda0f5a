import { OP, cellRecords, cellToText } from '../../src/sdk.ts';
import type { Batch, Cell, Reject, Row, Shape, Source, StreamRef } from '../../src/sdk.ts';
import { allRecords } from './all-records.ts';
import type { PlacedRecord } from './all-records.ts';
import type { View } from './knowledge.ts';
import { LastPlaces, keyHash } from './last-places.ts';
import type { SourceContext } from './source-context.ts';

/*
 * Of the records with one key the last is the current one. A file has no index, so each answer costs one or two readings of it.
 */

/** Keys that are kept at once (64 MB). With more, the files are read again for the next part of the keys. */
const MAX_KEYS = 2_000_000;
const BATCH_ROWS = 2000;
const BATCH_BYTES = 4 * 1024 * 1024;

export function fileLookup(context: SourceContext, maxKeys = MAX_KEYS): Required<Pick<Source, 'scan' | 'fetchBy'>> {
  return {
    scan: (stream, signal) => scan(context, stream, { signal, maxKeys }),
    fetchBy: (stream, fields, values, signal) => fetchBy(context, stream, { fields, values, signal }),
  };
}

/** The text of a record's key; `null`: it has none that can be read. */
function keyText({ shape }: View, { decoded }: PlacedRecord): string | null {
  if ('reject' in decoded) return decoded.reject.key === undefined ? null : keyOf(shape, decoded.reject.key);
  return keyOf(
    shape,
    shape.key.map((index) => decoded.row[index]),
  );
}

function keyOf(shape: Shape, cells: readonly Cell[]): string {
  return textsOf(shape, shape.key, cells);
}

function textsOf(shape: Shape, fields: readonly number[], cells: readonly Cell[]): string {
  return JSON.stringify(fields.map((field, index) => cellToText(shape.fields[field]?.type ?? 'text', cells[index])));
}

async function* scan(
  context: SourceContext,
  ref: StreamRef,
  { signal, maxKeys }: { readonly signal: AbortSignal; readonly maxKeys: number },
): AsyncGenerator<Batch> {
  let parts = 1;
  for (let part = 0; part < parts; part++) {
    const isOfPart = (hash: { readonly high: number }): boolean => hash.high % parts === part;
    let last: LastPlaces | null = await lastPlaces(context, ref, { signal, isOfPart, maxKeys: part === 0 ? maxKeys : Infinity });
    while (last === null) {
      parts *= 4;
      last = await lastPlaces(context, ref, { signal, isOfPart, maxKeys });
    }
    let open: Gathering | null = null;
    for await (const { view, records } of allRecords(context, ref, signal)) {
      if (open !== null && open.view.shape !== view.shape) yield gathered(open);
      if (open?.view.shape !== view.shape) open = gathering(view);
      for (const record of records) {
        const key = keyText(view, record);
        const isCurrent = key === null ? part === 0 : isOfPart(keyHash(key)) && last.get(keyHash(key)) === record.place;
        if (!isCurrent || !gather(open, record)) continue;
        yield gathered(open);
        open = gathering(view);
      }
    }
    if (open !== null && open.count > 0) yield gathered(open);
  }
}

/** `null`: there are more keys than may be kept. */
async function lastPlaces(
  context: SourceContext,
  ref: StreamRef,
  {
    signal,
    isOfPart,
    maxKeys,
  }: { readonly signal: AbortSignal; readonly isOfPart: (hash: { readonly high: number }) => boolean; readonly maxKeys: number },
): Promise<LastPlaces | null> {
  const last = new LastPlaces();
  for await (const { view, records } of allRecords(context, ref, signal))
    for (const record of records) {
      const key = keyText(view, record);
      const hash = key === null ? null : keyHash(key);
      if (hash === null || !isOfPart(hash)) continue;
      last.set(hash, record.place);
      if (last.size > maxKeys) return null;
    }
  return last;
}

interface Asking {
  readonly fields: readonly string[];
  readonly values: readonly (readonly Cell[])[];
  readonly signal: AbortSignal;
}

async function* fetchBy(context: SourceContext, ref: StreamRef, { fields, values, signal }: Asking): AsyncGenerator<Batch> {
  if (values.length === 0) return;
  const { shape } = await context.view(ref, signal);
  const indices = fields.map((name) => shape.fields.findIndex((field) => field.name === name));
  const wanted = new Set(values.map((cells) => textsOf(shape, indices, cells)));
  const isByKey = [...fields].join('\0') === ref.key.join('\0');
  const keys = isByKey ? wanted : await keysWith(context, ref, { indices, wanted, signal });
  const latest = new Map<string, { readonly view: View; readonly record: PlacedRecord }>();
  for await (const { view, records } of allRecords(context, ref, signal))
    for (const record of records) {
      const key = keyText(view, record);
      if (key !== null && keys.has(key)) latest.set(key, { view, record });
    }
  let open: Gathering | null = null;
  for (const { view, record } of latest.values()) {
    if (!isByKey && 'row' in record.decoded && !wanted.has(valuesOf(view.shape, indices, record.decoded.row))) continue;
    if (open !== null && open.view.shape !== view.shape) yield gathered(open);
    if (open?.view.shape !== view.shape) open = gathering(view);
    if (!gather(open, record)) continue;
    yield gathered(open);
    open = gathering(view);
  }
  if (open !== null && open.count > 0) yield gathered(open);
}

/** The keys of all records, current or not, that have one of the values. */
async function keysWith(
  context: SourceContext,
  ref: StreamRef,
  { indices, wanted, signal }: { readonly indices: readonly number[]; readonly wanted: ReadonlySet<string>; readonly signal: AbortSignal },
): Promise<Set<string>> {
  const keys = new Set<string>();
  for await (const { view, records } of allRecords(context, ref, signal))
    for (const record of records) {
      if ('reject' in record.decoded || !wanted.has(valuesOf(view.shape, indices, record.decoded.row))) continue;
      const key = keyText(view, record);
      if (key !== null) keys.add(key);
    }
  return keys;
}

function valuesOf(shape: Shape, indices: readonly number[], row: Row): string {
  return textsOf(
    shape,
    indices,
    indices.map((index) => row[index]),
  );
}

/** Records on their way into a batch. */
interface Gathering {
  readonly view: View;
  readonly rows: Row[];
  readonly rejected: Reject[];
  count: number;
  bytes: number;
}

function gathering(view: View): Gathering {
  return { view, rows: [], rejected: [], count: 0, bytes: 0 };
}

/** Whether the batch is full. A record that was deleted last is not there. */
function gather(open: Gathering, { decoded }: PlacedRecord): boolean {
  if ('reject' in decoded) open.rejected.push(decoded.reject);
  else if (decoded.op === OP.delete) return false;
  else {
    open.rows.push(decoded.row);
    open.bytes += decoded.bytes;
  }
  open.count++;
  return open.count >= BATCH_ROWS || open.bytes >= BATCH_BYTES;
}

function gathered({ view, rows, rejected, bytes }: Gathering): Batch {
  return {
    stream: view.ref.name,
    shape: view.shape,
    records: cellRecords({ rows, bytes }),
    ops: null,
    distinctKeys: true,
    cursor: null,
    position: { text: view.ref.name },
    ...(rejected.length === 0 ? {} : { rejected }),
  };
}
