import { OP, TrueupError, fieldIndex, isTrueupError, sameType, scanRows } from '../../../src/sdk.ts';
import type { Cell, Decode, MappedBatch, Records, Row, Shape } from '../../../src/sdk.ts';
import { LARGE_CHARS, lineChars, sendLines } from './chunks.ts';
import type { LargeText, Sent, StagedLine } from './chunks.ts';
import type { Note } from '../ddl/column-fit.ts';
import { COPY_NULL, copyText } from '../values/encode.ts';
import { STAGED } from './sql.ts';
import type { LaneColumn, LaneTable } from './table.ts';

/** How much text is handed to the connection at once. */
const CHUNK_CHARS = 64 * 1024;

/** A lane's column as one batch fills it. */
interface Source {
  readonly lane: LaneColumn;
  /** Index into the row. */
  readonly field: number;
  /** Its string cells are the server's own text already. */
  readonly unread: boolean;
  readonly decode: Decode | null;
  readonly note: Note;
}

/** Where the columns of a lane stand in the rows of a batch. */
export type Layout = readonly Source[];

/** @param fields for each of the lane's columns, its index in the batch's shape */
export function batchLayout(
  lane: LaneTable,
  records: Records,
  { fields, note }: { readonly fields: readonly number[]; readonly note: (field: string, kind: string) => void },
): Layout {
  return lane.columns.map((column, index) => {
    const field = fields[index] as number;
    const decode = records.decoder(field);
    // Without a decoder a text is the carrier; of types whose carrier is text, the server's own text is that carrier.
    const unread = column.fit.kind === 'raw' && (decode === null || records.textDialect === 'postgres');
    return { lane: column, field, unread, decode: unread ? null : decode, note: (kind) => note(column.field.name, kind) };
  });
}

/** What was staged of a batch, besides the lines themselves. */
export interface Staged extends Sent {
  /** By what a group of patches sets: the lane's columns, keys left out, and what stands in `_o`. */
  readonly patches: Map<string, { readonly group: number; readonly set: readonly number[] }>;
}

export function nothingStaged(): Staged {
  return { sent: [], faults: [], counts: new Map(), patches: new Map() };
}

export interface Segment {
  readonly batch: MappedBatch;
  readonly layout: Layout;
  readonly from: number;
  readonly to: number;
  readonly into: Staged;
  /** For the table itself: nothing stands before the cells of a record. */
  readonly straight?: boolean;
}

/** The lines of the records `from <= i < to`, in chunks of some 64 KiB. A record that no line can be made of is among the faults. */
export function* stagedLines(segment: Segment): Generator<Buffer> {
  const { batch, from, to, into } = segment;
  let pending: StagedLine[] = [];
  let chars = 0;
  let index = -1;
  for (const row of scanRows(batch.records)) {
    index++;
    if (index < from) continue;
    if (index >= to) break;
    const staged = recordLine(segment, row, index);
    if (staged === null) continue;
    pending.push(staged);
    chars += lineChars(staged);
    if (chars < CHUNK_CHARS) continue;
    yield* sendLines(pending, into);
    pending = [];
    chars = 0;
  }
  yield* sendLines(pending, into);
}

function recordLine(segment: Segment, row: Row, index: number): StagedLine | null {
  try {
    return lineOf(segment, row, index);
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'record') throw error;
    segment.into.faults.push({ index, code: error.code, message: error.message });
    return null;
  }
}

function lineOf({ batch, layout, into, straight = false }: Segment, row: Row, index: number): StagedLine {
  const op = batch.ops?.[index] ?? OP.upsert;
  const parts: (string | LargeText)[] = [];
  let line = '';
  // The innermost loop of all writing: no allocation per cell.
  for (let at = 0; at < layout.length; at++) {
    const source = layout[at] as Source;
    const text = checkedText(source, op === OP.delete && !source.lane.key ? null : row[source.field], op);
    if (at > 0 || !straight) line += '\t';
    if (text !== null && text.length >= LARGE_CHARS) {
      parts.push(line, largeText(source, text));
      line = '';
    } else line += text === null ? COPY_NULL : (copyText(text) ?? refuse(source, NUL));
  }
  const staged = op === OP.patch ? patchGroup(into, definedColumns(layout, row)) : op === OP.delete ? STAGED.delete : STAGED.upsert;
  const start = straight ? '' : `${index}\t${staged}`;
  return { index, op: staged, parts: parts.length === 0 ? [`${start}${line}\n`] : [start, ...parts, `${line}\n`] };
}

export const NUL = 'holds a NUL character, which PostgreSQL cannot store';

function largeText(source: Source, text: string): LargeText {
  return text.includes('\0') ? refuse(source, NUL) : { text };
}

export function checkedText(source: Source, given: Cell, op: number): string | null {
  if (given === undefined && op !== OP.patch) refuse(source, 'is absent, and a column cannot be: map it with a default');
  const text = given === undefined || given === null ? null : cellText(source, given);
  return text === null && source.lane.key ? refuse(source, 'is part of the key and NULL') : text;
}

/** The columns that a patch sets, keys left out. */
function definedColumns(layout: Layout, row: Row): number[] {
  return layout.flatMap(({ lane, field }, at) => (lane.key || row[field] === undefined ? [] : [at]));
}

export function refuse({ lane }: Source, why: string): never {
  throw new TrueupError('E_RECORD_VALUE', `field '${lane.field.name}' ${why}`);
}

function cellText(source: Source, cell: Cell): string | null {
  if (typeof cell !== 'string') return source.lane.fit.toText(cell, source.note);
  if (source.unread) return cell;
  return source.lane.fit.toText(source.decode === null ? cell : source.decode(cell), source.note);
}

function patchGroup(into: Staged, set: readonly number[]): number {
  const id = set.join();
  const group = into.patches.get(id)?.group ?? STAGED.patch + into.patches.size;
  if (!into.patches.has(id)) into.patches.set(id, { group, set });
  return group;
}

/** Lines for parents whose rows are replaced: only the fields that name the parent are set. @param fields indices into the lane's columns */
export function parentLines(layout: Layout, fields: readonly number[], parents: readonly (readonly Cell[])[]): Buffer {
  const lines = parents.map((parent) => {
    const cells = layout.map((source, at) => {
      const cell = parent[fields.indexOf(at)];
      const text = cell === null || cell === undefined ? null : source.lane.fit.toText(cell, source.note);
      // What no text of Postgres can hold names no row, like NULL.
      return text === null || !text.isWellFormed() ? COPY_NULL : (copyText(text) ?? COPY_NULL);
    });
    return `-1\t${STAGED.parent}\t${cells.join('\t')}\n`;
  });
  return Buffer.from(lines.join(''), 'utf8');
}

/**
 * Where each of the lane's columns stands in a batch's shape.
 * @throws {TrueupError} `E_PLAN_CHANGED` when the lane was not planned for it: a field more, a field less, another type
 */
export function fieldsOf(lane: LaneTable, shape: Shape): readonly number[] {
  const { stream } = lane;
  const changed = (what: string) =>
    new TrueupError('E_PLAN_CHANGED', `Stream '${stream.stream}' delivers other fields than were planned: ${what}.`);
  for (const field of shape.fields) {
    const planned = stream.shape.fields[fieldIndex(stream.shape, field.name)];
    if (planned === undefined) throw changed(`'${field.name}' is new`);
    if (planned.native?.type !== field.native?.type || !sameType(planned.type, field.type))
      throw changed(`'${field.name}' has another type`);
  }
  return lane.columns.map(({ field }) => {
    const index = fieldIndex(shape, field.name);
    if (index === -1) throw changed(`'${field.name}' is gone`);
    return index;
  });
}
