import { isTrueupError, planConversion, sameType } from '../../../src/sdk.ts';
import type { Cell, Field, LogicalType } from '../../../src/sdk.ts';
import { BSON, rawElements } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import { jsonText } from '../bson/json-text.ts';
import { typedCell, variantCell } from '../native.ts';

/*
 * Values of documents as a target reads them back. Somebody else may write the same documents, so any value may be of another type than its field: then it comes
 * as a variant, which no carrier of the field's type equals. The number 5 as int, long, double and decimal is four values, as applications see four types.
 */

/** A value as a carrier of the type that the field has, or as a variant. What is not there is NULL. */
export function readAs(type: LogicalType, value: RawValue | null): Cell {
  if (value === null || value.type === BSON.null) return null;
  return readExact(type, value) ?? foreignCell(value);
}

/** `undefined`: the value is of another type. */
function readExact(type: LogicalType, value: RawValue): Cell {
  if (type === 'variant') return foreignCell(value);
  if (type === 'json') return readable(value, (json) => jsonText(json, 'a value'));
  if (typeof type !== 'string') return 'list' in type ? readList(type.list, value) : readStruct(type.struct, value);
  if (value.type === BSON.document || value.type === BSON.array) return undefined;
  const typed = readable(value, typedCell);
  return typed !== undefined && typed !== null && sameType(typed.type, type) ? typed.cell : undefined;
}

function readList(item: LogicalType, value: RawValue): Cell {
  if (value.type !== BSON.array) return undefined;
  return readable(value, rawElements)?.map((element) => readAs(item, element.value));
}

/** The order of names counts, as it does when MongoDB compares documents. */
function readStruct(fields: readonly Field[], value: RawValue): Cell {
  const elements = value.type === BSON.document ? readable(value, rawElements) : undefined;
  if (elements === undefined || elements.length !== fields.length) return undefined;
  if (elements.some(({ name }, index) => name !== fields[index]?.name)) return undefined;
  return elements.map((element, index) => readAs(fields[index]?.type ?? 'variant', element.value));
}

/** With its own type. Of what is no BSON or no UTF-8 nothing is known but that nothing equals it. */
function foreignCell(value: RawValue): Cell {
  return readable(value, variantCell) ?? { variant: 'text', value: 'a value that cannot be read' };
}

function readable<T>(value: RawValue, read: (value: RawValue) => T): T | undefined {
  try {
    return read(value);
  } catch (error) {
    if (isTrueupError(error) && error.fault === 'record') return undefined;
    throw error;
  }
}

const NUMBERS = new Set<unknown>(['int32', 'int64', 'float64', 'decimal']);

/** A part of `_id`. There MongoDB takes numbers of the same value for the same key, whatever their type. */
export function readKey(type: LogicalType, value: RawValue): Cell {
  const exact = value.type === BSON.null ? null : readExact(type, value);
  if (exact !== undefined) return exact;
  const typed = readable(value, typedCell);
  if (typed === undefined || typed === null || !NUMBERS.has(typed.type) || !NUMBERS.has(type)) return foreignCell(value);
  try {
    return planConversion({ from: typed.type, to: type, onLoss: 'error' }).convert(typed.cell, () => undefined);
  } catch {
    return foreignCell(value);
  }
}

/** Whether two values are the same to the byte. */
export function sameValue(a: RawValue, b: RawValue): boolean {
  return a.type === b.type && a.bytes.subarray(a.from, a.to).equals(b.bytes.subarray(b.from, b.to));
}
