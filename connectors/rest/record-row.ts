import { TrueupError, jsonToCell } from '../../src/sdk.ts';
import type { Cell, ExactJson, Field, LogicalType, PagedRow } from '../../src/sdk.ts';
import type { JsonPath } from './json-path.ts';
import { valueAt } from './json-path.ts';

/** A field of a stream and where its value stands. */
export interface FieldPlace {
  readonly name: string;
  readonly type: LogicalType;
  /** In the record. */
  readonly path: JsonPath;
  /** Not `null`: this field of the parent record instead. */
  readonly parent: string | null;
}

/** A record as it was read. */
export interface RestRow {
  /** `null`: it is no JSON, and `broken` says where. */
  readonly json: ExactJson;
  readonly broken?: string;
  /** Carriers of the parent's fields, by name. */
  readonly parent: ReadonlyMap<string, Cell> | null;
}

/** As the batches of pages take it. */
export function pagedRow(row: RestRow): PagedRow {
  return row as unknown as PagedRow;
}

/**
 * Reads one field of a record, by its place. A field that the record lacks is NULL.
 *
 * @throws {TrueupError} of a record fault
 */
export function cellReader(places: ReadonlyMap<string, FieldPlace>): (row: PagedRow, field: Field, place: string) => Cell {
  return (paged, field, place) => {
    const row = paged as unknown as RestRow;
    if (row.broken !== undefined) throw new TrueupError('E_RECORD_UNREADABLE', row.broken);
    if (!(row.json instanceof Map)) throw new TrueupError('E_RECORD_UNREADABLE', `${place}: the record is no object`);
    const from = places.get(field.name);
    if (from === undefined) return null;
    if (from.parent !== null) return row.parent?.get(from.parent) ?? null;
    return jsonToCell(field.type, valueAt(row.json, from.path) ?? null, place);
  };
}
