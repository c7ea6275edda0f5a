import type { Document, FindCursor } from 'mongodb';
import { TrueupError, cellRecords, fieldIndex } from '../../src/sdk.ts';
import type { Batch, Cell, Shape, Target, TargetStream } from '../../src/sdk.ts';
import { REST } from './document/layout.ts';
import type { Session } from './session.ts';
import { documentPlan, idOf } from './document/document.ts';
import type { DocumentPlan, TargetPlace } from './document/document.ts';
import { documentReader } from './document/row.ts';
import type { ReadDocument } from './document/row.ts';
import { storedFields } from './document/stored.ts';

const BATCH_ROWS = 1000;

/** What verify, repair and why read. From the primary, and only what a majority has. */
export function targetReads(session: Session): Required<Pick<Target, 'storedAs' | 'scan' | 'fetchBy'>> {
  return {
    storedAs: async (stream) => storedFields(documentPlan(stream, session.options.json)),
    scan: ({ stream, fields, signal }) => readAll(session, { stream, fields, filter: {}, signal }),
    async *fetchBy(stream, fields, values, signal) {
      const plan = documentPlan(stream, session.options.json);
      for (let from = 0; from < values.length; from += BATCH_ROWS) {
        const filter = matching(plan, fields, values.slice(from, from + BATCH_ROWS));
        yield* readAll(session, { stream, fields: stream.shape.fields.map(({ name }) => name), filter, signal });
      }
    },
  };
}

function matching(plan: DocumentPlan, fields: readonly string[], values: readonly (readonly Cell[])[]): Document {
  const key = plan.key.map((index) => plan.places[index]?.name);
  if (key.length === fields.length && key.every((name, at) => name === fields[at]))
    return { _id: { $in: values.map((cells) => idFor(plan, cells)) } };
  const places = fields.map((name) => placeOf(plan, name));
  return {
    $or: values.map((cells) => ({
      $and: places.map((place, at) => ({ [place.name]: { $eq: place.fit.toValue(cells[at], () => undefined) } })),
    })),
  };
}

function idFor(plan: DocumentPlan, key: readonly Cell[]): unknown {
  return idOf(plan, key);
}

function placeOf({ places, stream }: DocumentPlan, name: string): TargetPlace {
  const place = places.find((one) => one.name === name);
  if (place !== undefined) return place;
  throw new TrueupError(
    'E_STREAM_UNKNOWN',
    `'${stream.target}' is not written with a field '${name}'. Fields: ${places.map((one) => one.name).join(', ')}.`,
  );
}

interface Read {
  readonly stream: TargetStream;
  readonly fields: readonly string[];
  readonly filter: Document;
  readonly signal: AbortSignal;
}

/** What is marked as deleted is not there. A collection that does not exist is empty. */
async function* readAll(session: Session, { stream, fields, filter, signal }: Read): AsyncGenerator<Batch> {
  const plan = documentPlan(stream, session.options.json);
  const places = fields.map((name) => placeOf(plan, name));
  const shape = shapeOf(stream, places);
  const read = documentReader(plan, places);
  const notMarked = plan.mark === null ? filter : { $and: [filter, { [plan.mark]: { $in: [null, false] } }] };
  const cursor = await session.run(signal, (db) =>
    Promise.resolve(
      db.collection(stream.target).find(notMarked, {
        raw: true,
        batchSize: BATCH_ROWS,
        readConcern: { level: 'majority' },
        readPreference: 'primary',
        signal,
      }) as FindCursor,
    ),
  );
  try {
    for (;;) {
      const documents = await session.run(signal, async () =>
        (await cursor.hasNext()) ? (cursor.readBufferedDocuments(BATCH_ROWS) as unknown as Uint8Array[]) : null,
      );
      if (documents === null) return;
      yield batchOf(stream, { shape, read }, documents);
    }
  } finally {
    await cursor.close().catch(() => undefined);
  }
}

function shapeOf({ shape }: TargetStream, places: readonly TargetPlace[]): Shape {
  const fields = places.map(({ name, nullable, fit }) => ({ name, type: fit.stored, nullable }));
  const key = shape.key.map((index) => fields.findIndex(({ name }) => name === shape.fields[index]?.name)).filter((index) => index >= 0);
  return { fields, key, open: shape.open && fieldIndex({ fields, key, open: true }, REST) === fields.length - 1 };
}

function batchOf(
  stream: TargetStream,
  { shape, read }: { readonly shape: Shape; readonly read: ReadDocument },
  documents: readonly Uint8Array[],
): Batch {
  return {
    stream: stream.stream,
    shape,
    records: cellRecords({ rows: documents.map(read), bytes: documents.reduce((sum, bytes) => sum + bytes.byteLength, 0) }),
    ops: null,
    distinctKeys: true,
    cursor: null,
    position: { text: `${documents.length} documents` },
  };
}
