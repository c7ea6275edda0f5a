import { JsonNumber } from '../../src/sdk.ts';
import type { ExactJson, LogicalType } from '../../src/sdk.ts';

/*
 * The type of a field from the values that samples hold. A type is chosen only when every sample fits it exactly; what is mixed is kept as json.
 */

type Kind = 'int64' | 'decimal' | 'bool' | 'timestamptz' | 'uuid' | 'text' | 'json';

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INT64 = 2n ** 63n;

/** Type by field, in the order in which fields were first seen. A field that was null in every record is not known yet. */
export function inferTypes(records: Iterable<ExactJson>, known: ReadonlyMap<string, LogicalType> = new Map()): Map<string, LogicalType> {
  const kinds = new Map<string, Kind>();
  for (const record of records) {
    if (!(record instanceof Map)) continue;
    for (const [name, value] of record as ReadonlyMap<string, ExactJson>) {
      if (value === null || known.has(name)) continue;
      const before = kinds.get(name);
      kinds.set(name, before === undefined ? kindOf(value) : both(before, kindOf(value)));
    }
  }
  return new Map<string, LogicalType>([...known, ...kinds]);
}

function kindOf(value: ExactJson): Kind {
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof JsonNumber) return isInt64(value.text) ? 'int64' : 'decimal';
  if (typeof value !== 'string') return 'json';
  if (INSTANT.test(value) && !Number.isNaN(Date.parse(value))) return 'timestamptz';
  return UUID.test(value) ? 'uuid' : 'text';
}

function isInt64(text: string): boolean {
  if (!/^-?\d+$/.test(text) || text === '-0') return false;
  const value = BigInt(text);
  return value >= -INT64 && value < INT64;
}

function both(a: Kind, b: Kind): Kind {
  if (a === b) return a;
  const texts: readonly Kind[] = ['timestamptz', 'uuid', 'text'];
  if (texts.includes(a) && texts.includes(b)) return 'text';
  const numbers: readonly Kind[] = ['int64', 'decimal'];
  return numbers.includes(a) && numbers.includes(b) ? 'decimal' : 'json';
}
