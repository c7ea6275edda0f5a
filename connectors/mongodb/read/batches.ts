import { TrueupError, cellRecords } from '../../../src/sdk.ts';
import type { Batch, Cursor, Position, Records, Reject, Row } from '../../../src/sdk.ts';
import { openDocumentLines } from '../lines/document-lines.ts';
import type { DocumentLines } from '../lines/document-lines.ts';
import { lineRecords } from '../lines/line-records.ts';
import { documentAt, documentsOf, sizeAt } from './documents.ts';
import type { DocumentGroup, DocumentSpan } from './documents.ts';
import type { Knowledge, Reading } from './reading.ts';

export interface BatchLimits {
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Documents may be handed on as lines of `lines/plain`. */
  readonly asLines?: boolean;
}

export interface BatchSource {
  readonly knowledge: Knowledge;
  readonly limits: BatchLimits;
  /** Where a reader stands after a document. */
  placeAfter(document: Uint8Array): { readonly cursor: Cursor | null; readonly position: Position };
}

/** A reading that grows while it is read: of two batches the later one may have a wider shape. */
export interface Open {
  reading: Reading;
  /** Of the reading; `null`: it has fields that no line can hold. */
  lines?: { readonly of: Reading; readonly lines: DocumentLines | null };
  /** Batches in a row that could not be written as lines. */
  unfit?: number;
}

/** Documents that no line can hold are written in vain up to there: after so many batches of them in a row nobody tries any more. */
const MAX_UNFIT = 3;

/** Documents as batches within the limits; one over `batchBytes` travels alone. */
export async function* batches(open: Open, groups: AsyncIterable<DocumentGroup>, source: BatchSource): AsyncGenerator<Batch> {
  const { limits } = source;
  // Documents stay in memory beside their lines.
  const share = limits.asLines === true ? 2 : 1;
  let pending: DocumentSpan[] = [];
  let count = 0;
  let bytes = 0;
  for await (const group of groups) {
    let from = 0;
    for (let at = 0; at < group.starts.length; at++) {
      const size = sizeAt(group, at);
      if (count > 0 && (count >= limits.batchRows || bytes + size > limits.batchBytes / share)) {
        if (at > from) pending.push({ group, from, to: at });
        yield batchOf(open, pending, source);
        pending = [];
        from = at;
        count = bytes = 0;
      }
      count++;
      bytes += size;
    }
    pending.push({ group, from, to: group.starts.length });
  }
  if (count > 0) yield batchOf(open, pending, source);
}

function batchOf(open: Open, spans: readonly DocumentSpan[], source: BatchSource): Batch {
  const wire = source.limits.asLines === true ? writtenLines(open, spans) : null;
  const { records, rejected } =
    wire === null ? decodedRecords(open, documentsOf(spans), source.knowledge) : { records: wire, rejected: [] };
  const last = spans.at(-1) as DocumentSpan;
  const { cursor, position } = source.placeAfter(documentAt(last.group, last.to - 1));
  return {
    stream: open.reading.ref.name,
    shape: open.reading.shape,
    records,
    ops: null,
    distinctKeys: true,
    cursor,
    position,
    ...(rejected.length > 0 ? { rejected } : {}),
  };
}

function writtenLines(open: Open, spans: readonly DocumentSpan[]): Records | null {
  const { reading, unfit = 0 } = open;
  if (unfit >= MAX_UNFIT) return null;
  if (open.lines?.of !== reading) open.lines = { of: reading, lines: openDocumentLines(reading.decoding) };
  const { lines } = open.lines;
  const records = lines === null ? null : lineRecords(reading, lines, spans);
  open.unfit = records === null ? unfit + 1 : 0;
  return records;
}

function decodedRecords(
  open: Open,
  documents: readonly Uint8Array[],
  knowledge: Knowledge,
): Pick<Batch, 'records'> & { rejected: Reject[] } {
  const { rows, rejected, bytes } = decodeAll(open, documents, knowledge);
  return { records: cellRecords({ rows, bytes }), rejected };
}

interface DecodedBatch {
  readonly rows: Row[];
  readonly rejected: Reject[];
  readonly bytes: number;
}

/** A value of another type than its field widens the field, and all documents are decoded anew: a batch has one shape. */
function decodeAll(open: Open, documents: readonly Uint8Array[], knowledge: Knowledge): DecodedBatch {
  const rows: Row[] = [];
  const rejected: Reject[] = [];
  let bytes = 0;
  for (const document of documents) {
    const decoded = open.reading.decoder.decode(document);
    if ('deviates' in decoded) {
      const before = open.reading;
      open.reading = knowledge.learn(before, documents);
      if (open.reading.layout === before.layout)
        throw new TrueupError('E_BUG', `Field '${decoded.deviates}' of '${before.ref.name}' was not widened to what its documents hold.`);
      return decodeAll(open, documents, knowledge);
    }
    if ('reject' in decoded) rejected.push(decoded.reject);
    else {
      rows.push(decoded.row);
      bytes += document.byteLength;
    }
  }
  return { rows, rejected, bytes };
}
