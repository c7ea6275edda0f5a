import { TrueupError, isTrueupError } from '../errors.ts';
import type { Cell, Row } from './cell.ts';
import { OP } from './change.ts';
import type { Batch, FetchRequest, Reject } from './contracts.ts';
import { cellFromJson, ownValue } from './paged-cell.ts';
import type { Field } from './logical-type.ts';
import type { Page, PagedRow } from './paged-stream.ts';
import type { PagedView } from './paged-view.ts';
import { cellRecords } from './records.ts';

interface Decoded {
  readonly op: number;
  readonly row: Row;
  readonly bytes: number;
}

/** What a read is bounded by. */
type Limits = Pick<FetchRequest, 'batchRows' | 'batchBytes'>;

/** A page as batches within the limits. Only the last one may be resumed after: the cursor stands after the whole page. */
export function* pageBatches(page: Page, view: PagedView, limits: Limits): Generator<Batch> {
  const { decoded, rejected } = decodePage(page, view);
  const groups = grouped(decoded, limits);
  const position = page.position ?? { text: positionText(page) };
  if (groups.length === 0)
    yield {
      ...batchOf([], view),
      stream: rejected.length === 0 ? null : view.stream.name,
      cursor: page.cursor,
      position,
      ...(rejected.length === 0 ? {} : { rejected }),
    };
  for (const [index, group] of groups.entries()) {
    const isLast = index === groups.length - 1;
    yield {
      ...batchOf(group, view),
      cursor: isLast ? page.cursor : null,
      position,
      ...(isLast && rejected.length > 0 ? { rejected } : {}),
    };
  }
}

function batchOf(group: readonly Decoded[], { stream, shape }: PagedView): Omit<Batch, 'cursor' | 'position'> {
  const records = cellRecords({ rows: group.map(({ row }) => row), bytes: group.reduce((sum, { bytes }) => sum + bytes, 0) });
  const ops = group.some(({ op }) => op !== OP.upsert) ? Uint8Array.from(group, ({ op }) => op) : null;
  return { stream: stream.name, shape, records, ops, distinctKeys: false };
}

function grouped(decoded: readonly Decoded[], { batchRows, batchBytes }: Limits): Decoded[][] {
  const groups: Decoded[][] = [];
  let bytes = 0;
  for (const record of decoded) {
    const last = groups.at(-1);
    if (last === undefined || last.length >= batchRows || bytes + record.bytes > batchBytes) {
      groups.push([record]);
      bytes = record.bytes;
    } else {
      last.push(record);
      bytes += record.bytes;
    }
  }
  return groups;
}

/** Rows first: what a page calls deleted is gone, though it listed it as well. */
function decodePage(page: Page, view: PagedView): { decoded: Decoded[]; rejected: Reject[] } {
  const decoded: Decoded[] = [];
  const rejected: Reject[] = [];
  const where = positionText(page).slice(0, 200);
  const take = (op: number, row: PagedRow, number: number): void => {
    try {
      const record = decodeRow(op, row, view);
      if (record.bytes <= view.stream.maxRecordBytes) decoded.push(record);
      else
        rejected.push(
          rejectOf(row, { number, where }, view, {
            code: 'E_RECORD_TOO_LARGE',
            message: `The record weighs ${record.bytes} bytes, more than maxRecordBytes (${view.stream.maxRecordBytes}).`,
          }),
        );
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      rejected.push(rejectOf(row, { number, where }, view, error));
    }
  };
  for (const [index, row] of page.rows.entries()) take(OP.upsert, row, index + 1);
  for (const [index, row] of (page.deleted ?? []).entries()) take(OP.delete, row, page.rows.length + index + 1);
  return { decoded, rejected };
}

function decodeRow(op: number, row: PagedRow, view: PagedView): Decoded {
  const { stream, shape } = view;
  const cells = shape.fields.map((field, index): Cell => {
    const isKey = shape.key.includes(index);
    if (op === OP.delete && !isKey) return undefined;
    const place = `field '${field.name}' of '${stream.name}'`;
    return isKey ? keyCell(row, field, place, view) : cellOf(row, field, place, view);
  });
  return { op, row: cells, bytes: cells.reduce<number>((sum, cell) => sum + cellBytes(cell), 0) };
}

function cellOf(row: PagedRow, field: Field, place: string, view: PagedView): Cell {
  return view.cell === undefined ? cellFromJson(field.type, ownValue(row, field.name), place) : view.cell(row, field, place);
}

function keyCell(row: PagedRow, field: Field, place: string, view: PagedView): Cell {
  const cell = cellOf(row, field, place, view);
  if (cell === null) throw new TrueupError('E_RECORD_UNREADABLE', `${place}: the key has no value`);
  return cell;
}

/** Where a row stands: counted from 1 in its page, deleted ones after the others. */
interface Place {
  readonly number: number;
  readonly where: string;
}

function rejectOf(row: PagedRow, { number, where }: Place, view: PagedView, { code, message }: Pick<Reject, 'code' | 'message'>): Reject {
  const key = readableKey(row, view);
  return {
    ...(key === null ? {} : { key }),
    position: `${view.stream.name}, row ${number} of the page that ends at ${where}`,
    code,
    message,
  };
}

/** `null`: the key cannot be read either. */
function readableKey(row: PagedRow, view: PagedView): Cell[] | null {
  try {
    return view.shape.key.map((index) => keyCell(row, view.shape.fields[index] as Field, 'key', view));
  } catch {
    return null;
  }
}

function positionText({ cursor, position }: Page): string {
  if (position !== undefined) return position.text;
  return typeof cursor === 'string' ? cursor : JSON.stringify(cursor);
}

/** UTF-16 code units of a text, and 8 bytes for what is short: close enough for budgets. */
function cellBytes(cell: Cell): number {
  if (typeof cell === 'string') return cell.length;
  if (cell instanceof Uint8Array) return cell.byteLength;
  return Array.isArray(cell) ? (cell as readonly Cell[]).reduce<number>((sum, item) => sum + cellBytes(item), 8) : 8;
}
