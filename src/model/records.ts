import type { Cell, Row } from './cell.ts';
import type { LineRecords } from './line-records.ts';

/**
 * How records travel. `cells`: one array per record, aligned to the shape. Otherwise a wire form that source and target both name (`pgcopy/text`),
 * agreed per stream at plan time when the mapping leaves every record as it is: then its bytes go through untouched. A source may hand over cells
 * all the same.
 */
export type Form = 'cells' | `${string}/${string}`;

/** Turns the source's own text of one field into its carrier. Pure. Throws on text that is not of the type. */
export type Decode = (text: string) => Cell;

/** The records of one batch. The engine itself looks at `form`, `count` and `bytes` only. */
export interface Records {
  /** What `wire` is written in. Whatever it is, `rows` gives the records as cells to whoever looks inside. */
  readonly form: Form;
  /** The records as the bytes of `form`, whole records in their order, in pieces that may be cut anywhere. Absent: they travel as cells. */
  readonly wire?: readonly Uint8Array[];
  readonly count: number;
  /** What the records weigh on the wire; an estimate is enough, budgets are counted in it. */
  readonly bytes: number;
  /** Whose text the undecoded cells are in (`postgres`, `csv`). A target of the same dialect copies them unread. `null`: no cell is undecoded. */
  readonly textDialect: string | null;
  /** The rows, aligned to the shape; lazy and memoised. */
  rows(): readonly Row[];
  /** The same rows one after another, each made as it is asked for and kept by nobody. Absent: `rows` costs nothing more. */
  scan?(): Iterable<Row>;
  /** The same records as lines whose cells can be copied as bytes. `null` or absent: they are not at hand. */
  lines?(): LineRecords | null;
  /** Not `null`: the string cells of this field are still source text, to be decoded only where someone looks inside. `null` and `undefined` cells are never text. */
  decoder(field: number): Decode | null;
  /** The records `from <= i < to`, for bisecting. */
  slice(from: number, to: number): Records;
  /** Told once, when the records are durable and nobody will look at them again: what they are kept in may serve others. Absent: garbage collection does. */
  release?(): void;
}

export interface CellRecordsInit {
  readonly rows: readonly Row[];
  readonly bytes: number;
  readonly textDialect?: string | null;
  /** One entry per field; absent: every cell is a carrier already. */
  readonly decoders?: readonly (Decode | null)[];
}

/** Records in cells form over rows that are already in memory. */
export function cellRecords(init: CellRecordsInit): Records {
  const { rows, bytes, textDialect = null, decoders } = init;
  return {
    form: 'cells',
    count: rows.length,
    bytes,
    textDialect,
    rows: () => rows,
    decoder: (field) => decoders?.[field] ?? null,
    slice: (from, to) =>
      cellRecords({ ...init, rows: rows.slice(from, to), bytes: rows.length === 0 ? 0 : Math.ceil((bytes * (to - from)) / rows.length) }),
  };
}

/** Other rows of the same fields: some of the rows, with cells that are text still as they were. */
export function withRows(records: Records, rows: readonly Row[]): Records {
  const decoders = rows[0]?.map((_cell, index) => records.decoder(index)) ?? [];
  const bytes = Math.ceil((records.bytes * rows.length) / Math.max(1, records.count));
  return cellRecords({ rows, bytes, textDialect: records.textDialect, decoders });
}

/** The rows, for who looks at each of them once: records that are not in memory yet then never are, all at once. */
export function scanRows(records: Records): Iterable<Row> {
  return records.scan?.() ?? records.rows();
}

/** One cell as its carrier, whether it was decoded before or not. */
export function decodedCell(records: Records, row: Row, field: number): Cell {
  const cell = row[field];
  if (typeof cell !== 'string') return cell;
  const decode = records.decoder(field);
  return decode === null ? cell : decode(cell);
}
