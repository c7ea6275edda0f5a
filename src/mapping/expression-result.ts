import { jsonToCell } from '../model/cell-json.ts';
import type { Cell } from '../model/cell.ts';
import { parseExactJson } from '../model/exact-json.ts';
import type { OnLoss } from '../model/contracts.ts';
import { planConversion } from '../model/conversion.ts';
import { sameType, typeText } from '../model/logical-type.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { jsonTextOf, naturalType, storeValue } from './expression/load.ts';
import { celTypeText } from './expression/value.ts';
import type { CelType, Value } from './expression/value.ts';

/*
 * From what an expression gives to the type that the mapping declares. Widening and checked narrowing of numbers go by themselves; between text
 * and anything else the expression itself must convert, so that nothing becomes text or is read out of text by accident.
 */

export type Store = (value: Value, note: (kind: string) => void) => Cell;

export interface ResultRequest {
  readonly type: CelType;
  readonly to: LogicalType;
  readonly onLoss: OnLoss;
  /** For messages: `field 'label'`. */
  readonly place: string;
}

/** A text says why the type does not fit. */
export function planResult({ type, to, onLoss, place }: ResultRequest): Store | string {
  if (type === 'null') return () => null;
  if (type === 'dyn') return (value) => storeDynamic(to, value, place);
  const natural = naturalType(type);
  if (sameType(natural, to)) return (value) => storeValue(natural, value);
  const conversion = isFree(natural, to) ? planConversion({ from: natural, to, onLoss, place }) : null;
  if (conversion === null || conversion.kind === 'impossible')
    return `the expression gives ${celTypeText(type)}, but the type is ${typeText(to)}${advice(type, to)}`;
  return (value, note) => conversion.convert(storeValue(natural, value), note);
}

/** What is known at run time only is taken like a value out of json. */
function storeDynamic(to: LogicalType, value: Value, place: string): Cell {
  if (value === null) return null;
  if (to === 'text' && typeof value === 'string') return value;
  return jsonToCell(to, parseExactJson(jsonTextOf(value)), place);
}

const FREE: Readonly<Record<string, readonly string[]>> = {
  int64: ['int32', 'decimal', 'float64', 'json'],
  float64: ['decimal', 'json'],
  decimal: ['int64', 'int32', 'float64', 'json'],
  text: ['uuid', 'objectId', 'interval', 'unknown'],
  bool: ['json'],
  timestamptz: ['json'],
  timestamp: ['json'],
  date: ['json', 'timestamp'],
  time: ['json'],
};

function isFree(from: LogicalType, to: LogicalType): boolean {
  if (typeof from === 'string') return typeof to === 'string' && (FREE[from] ?? []).includes(to);
  return (
    to === 'json' ||
    ('list' in from && typeof to !== 'string' && 'list' in to && (sameType(from.list, to.list) || isFree(from.list, to.list)))
  );
}

const FUNCTIONS: Readonly<Record<string, string>> = {
  text: 'string',
  int64: 'int',
  int32: 'int',
  float64: 'double',
  decimal: 'decimal',
  bool: 'bool',
  bytes: 'bytes',
  timestamptz: 'timestamp',
  timestamp: 'datetime',
  date: 'date',
  time: 'time',
};

function advice(type: CelType, to: LogicalType): string {
  const convert = typeof to === 'string' ? FUNCTIONS[to] : undefined;
  return convert === undefined || typeof type !== 'string' ? '' : `; convert with ${convert}(…)`;
}
