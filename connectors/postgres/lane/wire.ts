import { PLAIN_LINES } from '../../../src/sdk.ts';
import type { Form, MappedBatch } from '../../../src/sdk.ts';
import { BINARY_FORM, SIGNATURE, sameBinary } from '../copy/binary.ts';
import { TYPE, message } from '../copy/in.ts';
import type { CopyInput } from '../copy/in.ts';
import { TEXT_FORM } from '../copy/text.ts';
import type { LaneTable } from './table.ts';
import { takesPlainText } from './plain-columns.ts';
import { quoteIdentifier } from '../quote.ts';

/** Rows as bytes that the server's COPY takes as they are. */
export interface WireRows {
  readonly input: CopyInput;
  /** Indices into the lane's columns, in the order of the cells of a row. */
  readonly columns: readonly number[];
  readonly binary: boolean;
}

/**
 * The batch's rows, where every cell of them has a column that takes its bytes unread; else `null`.
 *
 * @param fields for each of the lane's columns, its index in the batch's shape
 */
export function wireRows(lane: LaneTable, batch: MappedBatch, fields: readonly number[]): WireRows | null {
  const { form, wire } = batch.records;
  if (wire === undefined || batch.ops !== null || !takesForm(lane, form)) return null;
  const columns = batch.shape.fields.map((_field, index) => fields.indexOf(index));
  if (columns.includes(-1)) return null;
  if (form === PLAIN_LINES) return { input: { rows: wire }, columns, binary: false };
  if (form === TEXT_FORM) return { input: { messages: wire }, columns, binary: false };
  return { input: { messages: [message(TYPE.data, SIGNATURE.length), SIGNATURE, ...wire] }, columns, binary: true };
}

/** `pgcopy/…` is what another PostgreSQL's COPY sent, in messages; `lines/plain` are lines that any source may have written. */
function takesForm({ columns }: LaneTable, form: Form): boolean {
  if (form === PLAIN_LINES) return columns.every(({ field, column }) => takesPlainText(field, column.baseText));
  if (form !== TEXT_FORM && form !== BINARY_FORM) return false;
  if (!columns.every(({ fit }) => fit.kind === 'raw')) return false;
  return form === TEXT_FORM || columns.every(({ field, column }) => sameBinary(field.native?.type, column.baseText));
}

/** COPY into the table itself. @param columns indices into the lane's columns */
export function copyStraightSql(lane: LaneTable, columns: readonly number[], binary: boolean): string {
  const names = columns.map((index) => quoteIdentifier(lane.columns[index]?.column.name ?? ''));
  return `copy ${lane.target} (${names.join(', ')}) from stdin${binary ? ' with (format binary)' : ''}`;
}
