import { isForeign } from './carrier.ts';
import { cellToJsonText, jsonTextToCell } from './cell-json.ts';
import type { Cell } from './cell.ts';
import type { LogicalType } from './logical-type.ts';
import { readScalar, scalarToText } from './scalar-text.ts';

/*
 * Carriers as portable text and back, for keys, letters, the command line, tests and conversions to text:
 * int64 as digits · float64 as the shortest text that reads back (`NaN`, `Infinity`, `-0`) · decimal in plain notation with its scale ·
 * timestamptz `2026-11-24T10:00:00.123456Z` · timestamp `2026-11-24 10:00:00.123456` · years before 1 with ` BC` at the end ·
 * `infinity`, `-infinity` · bytes `\\x6869` · uuid and objectId in lower case · json, unknown and interval as they are · list, struct and variant as JSON.
 */

/** The canonical text of a cell; `null` of a NULL or absent one. Equal carriers have equal texts. */
export function cellToText(type: LogicalType, cell: Cell): string | null {
  if (cell === null || cell === undefined) return null;
  return typeof type !== 'string' || type === 'variant' || isForeign(type, cell) ? cellToJsonText(type, cell) : scalarToText(type, cell);
}

/**
 * The carrier that a text stands for, NULL excepted (which no text stands for).
 *
 * @param place what the text belongs to, for the message: `field 'total'`
 * @throws {TrueupError} `E_RECORD_VALUE` naming type and place, never the text
 */
export function cellFromText(type: LogicalType, text: string, place = 'a value'): Cell {
  return typeof type !== 'string' || type === 'variant' ? jsonTextToCell(type, text, place) : readScalar(type, text, place);
}
