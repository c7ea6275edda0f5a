import { Binary, Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import { TrueupError, parseType } from '../../../src/sdk.ts';
import type { Cell, LogicalType, Variant } from '../../../src/sdk.ts';
import type { BsonValue } from './value.ts';
import { dateOf, parseExtendedJson } from './ejson-read.ts';

export interface ToBson {
  /** Whether `unknown` texts, those inside of variants included, are Extended JSON: the field's `native.system` is mongodb. Else they are strings. */
  readonly extendedJson: boolean;
  /** What the cell belongs to, for messages: `field 'total'`. */
  readonly place: string;
}

/**
 * The inverse of `typedCell`: a carrier as BSON. Types that MongoDB does not have (date, time, timestamp, interval, json) become strings here; who wants them otherwise
 * converts before.
 *
 * @throws {TrueupError} `E_RECORD_LOSS` or `E_RECORD_VALUE` for what BSON or the driver cannot hold, naming the place, never the value
 */
export function toBson(type: LogicalType, cell: Cell, to: ToBson): BsonValue {
  if (cell === null || cell === undefined) return null;
  if (typeof type !== 'string') return 'list' in type ? listValue(type, cell, to) : structValue(type, cell, to);
  switch (type) {
    case 'bool':
      return cell as boolean;
    case 'int32':
      return new Int32(cell as number);
    case 'int64':
      return Long.fromBigInt(cell as bigint);
    case 'float64':
      return new Double(cell as number);
    case 'decimal':
      return decimalValue(cell as string, to);
    case 'bytes':
      return new Binary(cell as Uint8Array, 0);
    case 'uuid':
      return new Binary(Buffer.from((cell as string).replaceAll('-', ''), 'hex'), 4);
    case 'objectId':
      return ObjectId.createFromHexString(cell as string);
    case 'timestamptz':
      return instantValue(cell as bigint, to);
    case 'unknown':
      return to.extendedJson ? parseExtendedJson(cell as string, to.place) : (cell as string);
    case 'variant': {
      const { variant, value } = cell as Variant;
      const inner = parsedType(variant);
      if (inner === null) throw new TrueupError('E_RECORD_VALUE', `${to.place}: a variant of a type that trueup does not know`);
      return toBson(inner, value, to);
    }
    default:
      return cell as string;
  }
}

function listValue({ list }: Extract<LogicalType, { list: LogicalType }>, cell: Cell, to: ToBson): BsonValue {
  return (cell as readonly Cell[]).map((item) => toBson(list, item, to));
}

function structValue({ struct }: Extract<LogicalType, { struct: unknown }>, cell: Cell, to: ToBson): BsonValue {
  const cells = cell as readonly Cell[];
  const document = new Map(struct.map((field, index) => [field.name, toBson(field.type, cells[index], to)] as const));
  if (document.size !== struct.length)
    throw new TrueupError('E_RECORD_VALUE', `${to.place}: a document has the same name twice, which the driver cannot write`);
  return document;
}

function decimalValue(text: string, { place }: ToBson): BsonValue {
  try {
    return Decimal128.fromString(text);
  } catch {
    throw new TrueupError('E_RECORD_LOSS', `${place}: the decimal has more than the 34 digits of a Decimal128, or an exponent beyond it`);
  }
}

function instantValue(micros: bigint, { place }: ToBson): BsonValue {
  if (micros % 1000n !== 0n) throw new TrueupError('E_RECORD_LOSS', `${place}: the instant has microseconds, a BSON date has milliseconds`);
  try {
    return dateOf(micros / 1000n);
  } catch {
    throw new TrueupError('E_RECORD_LOSS', `${place}: the instant is beyond what the driver can write`);
  }
}

const parsed = new Map<string, LogicalType | null>();

/** Documents of one collection share few types, and parsing costs more than writing. */
export function parsedType(text: string): LogicalType | null {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const type = parseType(text);
  if (parsed.size < 1000) parsed.set(text, type);
  return type;
}
