import type { Cell, Variant } from '../model/cell.ts';
import { JsonNumber, parseExactJson } from '../model/exact-json.ts';
import type { ExactJson } from '../model/exact-json.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { canonicalText } from '../model/scalar-text.ts';
import { parseType } from '../model/type-text.ts';
import { canonicalNumber } from './canonical-number.ts';

/**
 * A value such that two cells of one type are equal by value exactly when their canonical values are the same by `Object.is`. NULL is `null`, absent is
 * `undefined`: they differ.
 */
export type Canonical = string | number | bigint | boolean | null | undefined;

export type Canonicalize = (cell: Cell) => Canonical;

/**
 * How the cells of a type compare: by value, not by notation.
 *
 * - decimal: `1.0` is `1.00`, NaN and the infinities are themselves; float64: NaN is NaN, and -0 is not 0
 * - json: space and the order of names do not count, numbers compare by their exact value, of a name that stands twice the last one counts; text that is
 *   no JSON compares as text
 * - text to the letter: `''` is not NULL, a space at the end counts, and no letters are folded or composed
 * - lists and structs element by element; a variant by type and value; interval and unknown by their text
 */
export function canonicalizer(type: LogicalType): Canonicalize {
  if (typeof type !== 'string') {
    if ('struct' in type) return structCanonicalizer(type.struct.map((field) => canonicalizer(field.type)));
    const element = canonicalizer(type.list);
    return (cell) =>
      Array.isArray(cell) ? `[${(cell as readonly Cell[]).map((item) => marked(element(item))).join('')}]` : primitive(cell);
  }
  switch (type) {
    case 'decimal':
      return (cell) => (typeof cell === 'string' ? canonicalNumber(cell) : primitive(cell));
    case 'date':
    case 'timestamp':
      return (cell) => (typeof cell === 'string' ? (canonicalText(type, cell) ?? cell) : primitive(cell));
    case 'time':
      return (cell) => (typeof cell === 'string' ? canonicalTime(cell) : primitive(cell));
    case 'uuid':
    case 'objectId':
      return (cell) => (typeof cell === 'string' ? cell.toLowerCase() : primitive(cell));
    case 'json':
      return (cell) => (typeof cell === 'string' ? canonicalJson(cell) : primitive(cell));
    case 'variant':
      return canonicalVariant;
    default:
      return primitive;
  }
}

/** Whether two canonical values are the same. */
export function sameCanonical(a: Canonical, b: Canonical): boolean {
  return Object.is(a, b);
}

/** One value after the other, so that no two sequences read the same. */
export function marked(value: Canonical): string {
  switch (typeof value) {
    case 'string':
      return `"${value.length}:${value}`;
    case 'number':
      return `#${Object.is(value, -0) ? '-0' : value};`;
    case 'bigint':
      return `i${value};`;
    case 'boolean':
      return value ? 't' : 'f';
    default:
      return value === null ? 'n' : 'u';
  }
}

/** Carriers that are canonical as they are. */
function primitive(cell: Cell): Canonical {
  if (typeof cell !== 'object' || cell === null) return cell;
  if (cell instanceof Uint8Array) return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength).toString('latin1');
  // Not a carrier of its type: still told apart by content.
  return JSON.stringify(cell, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

function structCanonicalizer(fields: readonly Canonicalize[]): Canonicalize {
  return (cell) => {
    if (!Array.isArray(cell)) return primitive(cell);
    const cells = cell as readonly Cell[];
    return `{${fields.map((field, index) => marked(field(cells[index]))).join('')}}`;
  };
}

function canonicalVariant(cell: Cell): Canonical {
  if (typeof cell !== 'object' || cell === null || !('variant' in cell)) return primitive(cell);
  const { variant, value } = cell as Variant;
  return `${marked(variant)}${marked(canonicalizer(parseType(variant) ?? 'unknown')(value))}`;
}

/** An offset of `+02` is `+02:00`. */
function canonicalTime(text: string): string {
  const canonical = canonicalText('time', text) ?? text;
  return canonical.replace(/([+-]\d{2})(:\d{2})?(?::00)?$/, (_all, hours: string, minutes = '') => {
    const offset = minutes === ':00' ? hours : `${hours}${minutes}`;
    return offset === '-00' ? '+00' : offset;
  });
}

function canonicalJson(text: string): string {
  let json: ExactJson;
  try {
    json = parseExactJson(text);
  } catch {
    return `?${text}`;
  }
  return jsonText(json);
}

function jsonText(json: ExactJson): string {
  if (json instanceof JsonNumber) return canonicalNumber(json.text);
  if (Array.isArray(json)) return `[${(json as readonly ExactJson[]).map(jsonText).join(',')}]`;
  if (!(json instanceof Map)) return JSON.stringify(json);
  const names = [...(json as ReadonlyMap<string, ExactJson>).keys()].sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${jsonText((json as ReadonlyMap<string, ExactJson>).get(name) as ExactJson)}`).join(',')}}`;
}
