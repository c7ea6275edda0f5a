import { TrueupError, canonicalText, carrierProblem, typeText } from 'trueup/sdk';
import type { Cell, LogicalType, OnLoss } from 'trueup/sdk';
import type { Value } from './file.ts';

/*
 * SQLite has five kinds of values, and any column may hold any of them; what a column is declared as is only what it prefers. So what a column is meant to
 * hold is read from its declaration, and every value is looked at.
 */

/** How columns are declared that hold a type. The word TEXT or INT in it decides what SQLite makes of a value. */
const DECLARED: Readonly<Record<string, string>> = {
  bool: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'INTEGER',
  float64: 'REAL',
  text: 'TEXT',
  unknown: 'TEXT',
  bytes: 'BLOB',
  decimal: 'DECIMAL TEXT',
  uuid: 'UUID TEXT',
  objectId: 'OBJECTID TEXT',
  date: 'DATE TEXT',
  time: 'TIME TEXT',
  timestamp: 'TIMESTAMP TEXT',
  timestamptz: 'TIMESTAMPTZ INTEGER', // microseconds since 1970
  interval: 'DURATION TEXT',
  json: 'JSON TEXT',
};
const NAMED = new Map(Object.entries(DECLARED).map(([type, declared]) => [declared, type as LogicalType]));
const TEXTS = new Set<LogicalType>(['text', 'unknown', 'interval', 'json']);

/** `null`: SQLite has nothing to hold it in. */
export function declaredFor(type: LogicalType): string | null {
  return typeof type === 'string' ? (DECLARED[type] ?? null) : null;
}

export type Affinity = 'integer' | 'text' | 'blob' | 'real' | 'numeric';

/** https://www.sqlite.org/datatype3.html, section 3.1. */
export function affinityOf(declared: string): Affinity {
  if (/INT/i.test(declared)) return 'integer';
  if (/CHAR|CLOB|TEXT/i.test(declared)) return 'text';
  if (declared === '' || /BLOB/i.test(declared)) return 'blob';
  return /REAL|FLOA|DOUB/i.test(declared) ? 'real' : 'numeric';
}

/** What a column of this declaration is meant to hold. */
export function typeOf(declared: string): LogicalType {
  const upper = declared.toUpperCase();
  if (upper === 'INTEGER') return 'int64';
  const named = NAMED.get(upper);
  if (named !== undefined && named !== 'unknown') return named;
  switch (affinityOf(declared)) {
    case 'integer':
      return 'int64';
    case 'real':
      return 'float64';
    case 'blob':
      return declared === '' ? 'text' : 'bytes';
    case 'text':
      return 'text';
    case 'numeric':
      return /BOOL/i.test(declared) ? 'bool' : /DATE|TIME/i.test(declared) ? 'text' : 'decimal';
  }
}

/** The carrier of a value. `undefined`: it is none of this type. */
export function cellOf(type: LogicalType, value: Value): Cell {
  if (value === null) return null;
  if (typeof value === 'bigint') return cellOfInteger(type, value);
  if (typeof value === 'number') {
    if (type === 'float64') return value;
    return type === 'decimal' ? (canonicalText('decimal', String(value)) ?? undefined) : undefined;
  }
  if (typeof value === 'string') {
    if (type === 'text' || type === 'unknown') return value.isWellFormed() ? value : undefined;
    return cellOfText(type, value);
  }
  return type === 'bytes' ? value : undefined;
}

function cellOfInteger(type: LogicalType, value: bigint): Cell {
  switch (type) {
    case 'int64':
    case 'timestamptz':
      return value;
    case 'int32':
      return BigInt.asIntN(32, value) === value ? Number(value) : undefined;
    case 'bool':
      return value === 0n || value === 1n ? value === 1n : undefined;
    case 'decimal':
      return String(value);
    case 'float64':
      return BigInt(Number(value)) === value ? Number(value) : undefined;
    default:
      return undefined;
  }
}

function cellOfText(type: LogicalType, text: string): Cell {
  if (TEXTS.has(type)) return text;
  if (type === 'decimal' || type === 'uuid' || type === 'objectId' || type === 'date' || type === 'time' || type === 'timestamp')
    return canonicalText(type, text) === null ? undefined : text;
  return undefined;
}

export function kindOf(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'object' ? 'a blob' : typeof value === 'bigint' ? 'an integer' : 'a real number';
}

export interface Written {
  readonly value: Value;
  /** What was done to a value that could not be held exactly. */
  readonly loss?: string;
}

/**
 * A carrier as a value.
 *
 * @param place for messages: `field 'total'`
 * @throws {TrueupError} of a record fault, never with the value
 */
export function valueOf(type: LogicalType, cell: Cell, onLoss: OnLoss, place: string): Written {
  if (cell === null || cell === undefined) return { value: null };
  const problem = carrierProblem(type, cell);
  if (problem !== null) throw new TrueupError('E_RECORD_VALUE', `${place}: ${problem}.`);
  if (typeof cell === 'boolean') return { value: cell ? 1n : 0n };
  if (type === 'int32') return { value: BigInt(cell as number) };
  if (type === 'float64') return floatOf(cell as number, onLoss, place);
  if (typeof cell === 'object' && !(cell instanceof Uint8Array))
    throw new TrueupError('E_RECORD_VALUE', `${place}: SQLite holds no ${typeText(type)}.`);
  return { value: cell };
}

/** SQLite makes NULL of NaN and 0 of -0, without a word. */
function floatOf(value: number, onLoss: OnLoss, place: string): Written {
  const isNegativeZero = Object.is(value, -0);
  if (!Number.isNaN(value) && !isNegativeZero) return { value };
  if (onLoss === 'null') return { value: null, loss: 'null' };
  if (onLoss === 'truncate' && isNegativeZero) return { value: 0, loss: 'negative-zero' };
  throw new TrueupError('E_RECORD_LOSS', `${place}: SQLite holds neither NaN nor -0.`);
}
