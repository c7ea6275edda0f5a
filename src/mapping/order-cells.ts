import type { Cell } from '../model/cell.ts';
import { compareDecimals, parseDecimal } from '../model/decimal.ts';
import type { LogicalType } from '../model/logical-type.ts';

/*
 * The order of carriers, the same whatever system they come from: numbers by value (NaN after everything else), instants and civil times by time, false
 * before true, text and bytes by their bytes in UTF-8 (as `collate "C"` in Postgres), NULL after everything else.
 */

export type CompareCells = (a: Cell, b: Cell) => number;

/** Types whose values have such an order. */
const ORDERED: ReadonlySet<LogicalType> = new Set<LogicalType>([
  'bool',
  'int32',
  'int64',
  'float64',
  'decimal',
  'text',
  'bytes',
  'uuid',
  'objectId',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'unknown',
]);

export function orders(type: LogicalType): boolean {
  return ORDERED.has(type);
}

/** @param type one without an order of its own is put into some order that stays the same */
export function cellOrder(type: LogicalType, descending = false): CompareCells {
  const compare = comparison(type);
  const ascending: CompareCells = (a, b) => {
    const aIsNull = a === null || a === undefined;
    const bIsNull = b === null || b === undefined;
    if (aIsNull || bIsNull) return Number(aIsNull) - Number(bIsNull);
    return compare(a, b);
  };
  return descending ? (a, b) => ascending(b, a) : ascending;
}

function comparison(type: LogicalType): (a: NonNullable<Cell>, b: NonNullable<Cell>) => number {
  switch (type) {
    case 'decimal':
      return (a, b) => compareDecimalTexts(a as string, b as string);
    case 'date':
    case 'timestamp':
      return (a, b) => compareCivil(a as string, b as string);
    case 'float64':
      return (a, b) => compareFloats(a as number, b as number);
    case 'bool':
    case 'int32':
    case 'int64':
    case 'timestamptz':
      return (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    default:
      return (a, b) => Buffer.compare(bytesOf(a), bytesOf(b));
  }
}

function bytesOf(cell: NonNullable<Cell>): Uint8Array {
  if (cell instanceof Uint8Array) return cell;
  if (typeof cell === 'string') return Buffer.from(cell);
  return Buffer.from(JSON.stringify(cell, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
}

function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** -Infinity, the numbers, Infinity, NaN. */
function compareDecimalTexts(a: string, b: string): number {
  const left = parseDecimal(a);
  const right = parseDecimal(b);
  if (left !== null && right !== null) return compareDecimals(left, right);
  return rank(a) - rank(b);
}

function rank(text: string): number {
  return { '-Infinity': -1, Infinity: 1, NaN: 2 }[text] ?? 0;
}

/** ISO text, whose years may have more than four digits, or lie before Christ (`BC` at the end); or an infinity. */
function compareCivil(a: string, b: string): number {
  const left = civilParts(a);
  const right = civilParts(b);
  if (left.year !== right.year) return left.year < right.year ? -1 : 1;
  return left.rest < right.rest ? -1 : left.rest > right.rest ? 1 : 0;
}

function civilParts(text: string): { readonly year: number; readonly rest: string } {
  if (text === 'infinity') return { year: Infinity, rest: '' };
  if (text === '-infinity') return { year: -Infinity, rest: '' };
  const [, sign = '', year = '0', rest = ''] = /^([+-]?)(\d+)-(.*)$/.exec(text) ?? [];
  const isBefore = sign === '-' || text.endsWith(' BC');
  return { year: isBefore ? -Number(year) : Number(year), rest };
}
