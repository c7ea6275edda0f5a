import { Decimal128 } from 'bson';
import { TrueupError, isForeign, planConversion } from '../../../src/sdk.ts';
import type { Cell, Field, LogicalType, OnLoss, Variant } from '../../../src/sdk.ts';
import type { BsonValue } from '../bson/value.ts';
import { cellWriter, textWriter } from './field-write.ts';
import type { WriteCell, WriteText, Writing } from './field-write.ts';
import { JSON_LOSS, jsonDocument } from '../bson/json-document.ts';
import { SYSTEM } from '../native.ts';
import { roundedDecimal } from '../bson/rounded-decimal.ts';
import { parsedType, toBson } from '../bson/to-bson.ts';

/** Called once for every value that was not carried exactly, with what was done. */
export type Note = (kind: string) => void;

/** How documents hold the values of one field. */
export interface FieldFit {
  /** In MongoDB's own word. */
  readonly targetType: string;
  /** What a value may lose, and what then happens. */
  readonly loss?: string;
  /** The type that a read gives back. */
  readonly stored: LogicalType;
  /** @throws {TrueupError} of a record fault, naming the field, never the value */
  toValue(cell: Cell, note: Note): BsonValue;
  /** The same value, as bytes. */
  readonly write: WriteCell;
  /** For texts that no decoder has seen; `null`: they are decoded first. */
  readonly writeText: WriteText | null;
}

/** How documents hold JSON: taken apart, or as its text. */
export type JsonAs = 'document' | 'text';

export interface FitRules {
  readonly onLoss: OnLoss;
  readonly json: JsonAs;
}

interface FieldRules extends FitRules {
  readonly place: string;
  readonly extendedJson: boolean;
}

interface Rules extends FieldRules {
  readonly note: Note;
}

const NAMES: Readonly<Record<string, string>> = {
  bool: 'bool',
  int32: 'int',
  int64: 'long',
  float64: 'double',
  decimal: 'decimal',
  bytes: 'binData',
  uuid: 'binData (uuid)',
  objectId: 'objectId',
  timestamptz: 'date',
  variant: 'mixed',
};
/** Types that MongoDB has not: their text is kept, which loses nothing. */
const AS_TEXT = new Set<LogicalType>(['text', 'date', 'time', 'timestamp', 'interval', 'json', 'unknown']);

export function fitField(field: Field, fit: FitRules): FieldFit {
  const extendedJson = field.native?.system === SYSTEM;
  const place = `field '${field.name}'`;
  const losses = lossesOf(field.type, fit);
  return {
    targetType: targetTypeOf(field.type, extendedJson, fit),
    ...(losses.length === 0 ? {} : { loss: losses.join(', ') }),
    stored: storedType(field.type, extendedJson, fit),
    toValue: (cell, note) => valueOf(field.type, cell, { ...fit, place, extendedJson, note }),
    write: cellWriter(field.type, writingOf({ ...fit, place, extendedJson })),
    writeText: textWriter(field.type),
  };
}

function writingOf(rules: FieldRules): Writing {
  return {
    place: rules.place,
    asText: (type) => AS_TEXT.has(type) && !(type === 'json' && rules.json === 'document') && !(type === 'unknown' && rules.extendedJson),
    toValue: (type, cell, note) => valueOf(type, cell, { ...rules, note }),
    within: (field) => writingOf(within(field, rules)),
  };
}

function targetTypeOf(type: LogicalType, extendedJson: boolean, { json }: FitRules): string {
  if (typeof type !== 'string') return 'list' in type ? 'array' : 'object';
  if (type === 'json' && json === 'document') return 'object, array or value';
  return NAMES[type] ?? (type === 'unknown' && extendedJson ? 'mixed' : 'string');
}

function lossOf(type: LogicalType, fit: FitRules): string | null {
  if (type === 'json' && fit.json === 'document') return JSON_LOSS;
  if (type === 'decimal') return 'more than 34 digits';
  return type === 'timestamptz' ? 'µs → ms' : null;
}

/** What is lost and what then happens, of everything inside of the type, each once. */
function lossesOf(type: LogicalType, fit: FitRules): string[] {
  if (typeof type === 'string') {
    const loss = lossOf(type, fit);
    return loss === null ? [] : [`${loss}: ${fit.onLoss}`];
  }
  if ('list' in type) return lossesOf(type.list, fit);
  return [...new Set(type.struct.flatMap((field) => lossesOf(field.type, within(field, fit))))];
}

/** A field of a sub-document may have a policy of its own. */
function within<R extends FitRules>({ onLoss }: Field, rules: R): R {
  return onLoss === undefined ? rules : { ...rules, onLoss };
}

function storedType(type: LogicalType, extendedJson: boolean, fit: FitRules): LogicalType {
  if (typeof type !== 'string') {
    if ('list' in type) return { list: storedType(type.list, extendedJson, fit) };
    return { struct: type.struct.map((field) => ({ ...field, type: storedType(field.type, extendedJson, within(field, fit)) })) };
  }
  if (type === 'unknown' && extendedJson) return 'variant';
  if (type === 'json' && fit.json === 'document') return 'json'; // a text in its place is JSON as well
  if (AS_TEXT.has(type)) return 'text';
  return fit.onLoss === 'text' && lossOf(type, fit) !== null ? 'variant' : type;
}

function valueOf(type: LogicalType, cell: Cell, rules: Rules): BsonValue {
  if (cell === null || cell === undefined) return null;
  if (type === 'variant') return variantOf(cell as Variant, rules);
  // A key that somebody else made, on its way back to be looked up or deleted.
  if (isForeign(type, cell)) return variantOf(cell as Variant, { ...rules, extendedJson: true });
  if (typeof type !== 'string') return 'list' in type ? listOf(type.list, cell, rules) : structOf(type.struct, cell, rules);
  if (type === 'decimal') return decimalOf(cell as string, rules);
  if (type === 'timestamptz') return instantOf(cell as bigint, rules);
  if (type === 'json' && rules.json === 'document') return jsonOf(cell as string, rules);
  if (!AS_TEXT.has(type) || (type === 'unknown' && rules.extendedJson)) return toBson(type, cell, rules);
  if (!(cell as string).isWellFormed())
    throw new TrueupError('E_RECORD_VALUE', `${rules.place} holds a lone surrogate, which no UTF-8 text can hold`);
  return cell as string;
}

function listOf(item: LogicalType, cell: Cell, rules: Rules): BsonValue {
  return (cell as readonly Cell[]).map((one) => valueOf(item, one, rules));
}

function structOf(fields: readonly Field[], cell: Cell, rules: Rules): BsonValue {
  const cells = cell as readonly Cell[];
  const document = new Map(fields.map((field, index) => [field.name, valueOf(field.type, cells[index], within(field, rules))] as const));
  if (document.size === fields.length) return document;
  throw new TrueupError('E_RECORD_VALUE', `${rules.place}: a document has the same name twice, which the driver cannot write`);
}

function variantOf({ variant, value }: Variant, rules: Rules): BsonValue {
  const inner = parsedType(variant);
  if (inner === null) throw new TrueupError('E_RECORD_VALUE', `${rules.place}: a variant of a type that trueup does not know`);
  return valueOf(inner, value, rules);
}

function decimalOf(text: string, rules: Rules): BsonValue {
  try {
    return Decimal128.fromString(text);
  } catch {
    return lost({ loss: 'the decimal has more than 34 digits, or an exponent beyond a Decimal128', text, how: 'rounded' }, rules, () =>
      roundedDecimal(text),
    );
  }
}

function jsonOf(text: string, rules: Rules): BsonValue {
  const { value, losses } = jsonDocument(text, rules.place);
  const [first] = losses.values();
  if (first === undefined) return value;
  if (rules.onLoss !== 'truncate') return lost({ loss: first, text, how: 'text' }, rules, () => null);
  for (const kind of losses.keys()) rules.note(kind);
  return value;
}

const INSTANT_TEXT = planConversion({ from: 'timestamptz', to: 'text', onLoss: 'error' });

function instantOf(micros: bigint, rules: Rules): BsonValue {
  try {
    return toBson('timestamptz', micros, rules);
  } catch {
    const text = INSTANT_TEXT.convert(micros, () => undefined) as string;
    return lost({ loss: 'a BSON date has milliseconds, and no infinity', text, how: 'truncated-to-ms' }, rules, () => {
      const rest = ((micros % 1000n) + 1000n) % 1000n;
      return rest === 0n ? null : toBson('timestamptz', micros - rest, rules);
    });
  }
}

interface Lost {
  readonly loss: string;
  readonly text: string;
  readonly how: string;
}

/** @param cut what is left of the value; `null`: cutting does not help */
function lost({ loss, text, how }: Lost, { onLoss, place, note }: Rules, cut: () => BsonValue): BsonValue {
  if (onLoss === 'null') return (note('null'), null);
  if (onLoss === 'text') return (note('text'), text);
  const rest = onLoss === 'truncate' ? cut() : null;
  if (rest === null) throw new TrueupError('E_RECORD_LOSS', `${place}: ${loss}`);
  note(how);
  return rest;
}
