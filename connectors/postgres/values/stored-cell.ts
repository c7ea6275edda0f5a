import type { Cell, LogicalType } from '../../../src/sdk.ts';
import { canonicalText } from '../../../src/sdk.ts';
import { shortestSingle } from '../lane/single.ts';
import type { TargetColumn } from '../ddl/target-table.ts';

/*
 * What the server gives back for a value that it stores exactly, where that is not the value as it was written: another notation of a number or a
 * time, blanks behind a `character(n)`, digits behind a float4.
 */

/** The carrier that a read of the column gives back for one of the column's logical type. `null`: the same. */
export function storedCell({ logical, baseText }: Pick<TargetColumn, 'logical' | 'baseText'>): ((cell: Cell) => Cell) | null {
  if (typeof logical !== 'string') return 'list' in logical ? elements(logical.list, baseText) : null;
  const length = /^character\((\d+)\)$/.exec(baseText)?.[1];
  if (length !== undefined) return texts((text) => padded(text, Number(length)));
  switch (logical) {
    case 'decimal':
      return texts((text) => decimal(text, scaleOf(baseText)));
    case 'float64':
      return baseText === 'real' ? (cell) => (typeof cell === 'number' ? shortestSingle(cell) : cell) : null;
    case 'date':
    case 'timestamp':
    case 'time':
    case 'uuid':
      return texts((text) => canonicalText(logical, text) ?? text);
    case 'interval':
      return texts(interval);
    default:
      return null;
  }
}

function texts(change: (text: string) => string): (cell: Cell) => Cell {
  return (cell) => (typeof cell === 'string' ? change(cell) : cell);
}

function elements(logical: LogicalType, baseText: string): ((cell: Cell) => Cell) | null {
  const element = storedCell({ logical, baseText: baseText.replace(/\[\]$/, '') });
  return element === null ? null : (cell) => (Array.isArray(cell) ? (cell as readonly Cell[]).map(element) : cell);
}

/** The server counts code points. */
function padded(text: string, length: number): string {
  const characters = text.length < length && !/[\ud800-\udfff]/.test(text) ? text.length : [...text].length;
  return text + ' '.repeat(Math.max(0, length - characters));
}

/** Digits behind the point of `numeric(p,s)`; `null`: as many as the value has. */
function scaleOf(baseText: string): number | null {
  const [, scale] = /^numeric\(\d+,(-?\d+)\)$/.exec(baseText) ?? [];
  return scale === undefined ? null : Math.max(0, Number(scale));
}

/** A numeric has no negative zero. */
function decimal(text: string, scale: number | null): string {
  const plain = canonicalText('decimal', text) ?? text;
  const unsigned = /^-0(\.0+)?$/.test(plain) ? plain.slice(1) : plain;
  if (scale === null || scale === 0 || !/^-?\d/.test(unsigned)) return unsigned;
  const [whole = '', fraction = ''] = unsigned.split('.');
  return `${whole}.${fraction.padEnd(scale, '0')}`;
}

const INTERVAL = /^P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d*)(?:\.(\d{1,6}))?S)?)?$/;

/**
 * ISO 8601 as the server writes it: it keeps months, days and microseconds, and writes months as years and months, microseconds as hours, minutes and
 * seconds. Fractions of other parts than seconds are left as they are.
 */
export function interval(text: string): string {
  const match = INTERVAL.exec(text);
  if (match === null) return text;
  const [years, months, weeks, days, hours, minutes] = match.slice(1, 7).map((part) => BigInt(part ?? 0)) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const [sign, seconds, fraction = ''] = match.slice(7);
  const second = BigInt(seconds || 0) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
  const micros = (hours * 60n + minutes) * 60_000_000n + (sign === '-' ? -second : second);
  return intervalText(years * 12n + months, weeks * 7n + days, micros);
}

function intervalText(months: bigint, days: bigint, micros: bigint): string {
  const part = (amount: bigint, unit: string) => (amount === 0n ? '' : `${amount}${unit}`);
  const date = `${part(months / 12n, 'Y')}${part(months % 12n, 'M')}${part(days, 'D')}`;
  const time = `${part(micros / 3_600_000_000n, 'H')}${part((micros / 60_000_000n) % 60n, 'M')}${secondsText(micros % 60_000_000n)}`;
  return date === '' && time === '' ? 'PT0S' : `P${date}${time === '' ? '' : `T${time}`}`;
}

function secondsText(micros: bigint): string {
  if (micros === 0n) return '';
  const size = micros < 0n ? -micros : micros;
  const fraction = String(size % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${micros < 0n ? '-' : ''}${size / 1_000_000n}${fraction === '' ? '' : `.${fraction}`}S`;
}
