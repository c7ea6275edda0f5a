import { serialize } from 'bson';
import { TrueupError } from '../../../src/sdk.ts';
import type { Cell, LogicalType, StoredField } from '../../../src/sdk.ts';
import { rawDocument, rawElements } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import type { BsonValue } from '../bson/value.ts';
import { MAX_DATE_MS } from '../native.ts';
import type { DocumentPlan, TargetPlace } from './document.ts';
import { restCell } from './rest.ts';
import type { FieldTree } from './rest.ts';
import { restTree } from './row.ts';
import { readAs } from './value.ts';

/** What a read gives back for mapped values: through BSON, where it is not the carrier itself. */
export function storedFields(plan: DocumentPlan): StoredField[] {
  const tree = restTree(plan);
  return plan.places.map((place, index) => storedField(place, index === plan.rest ? tree : null));
}

/** @param tree of `*`; `null`: another field */
function storedField({ fit, name, nullable, type }: TargetPlace, tree: FieldTree | null): StoredField {
  const kept = keeper(type === 'json' ? fit.stored : type);
  return {
    type: fit.stored,
    convert: (cell) => {
      if (cell === null || cell === undefined) {
        if (!nullable) throw new TrueupError('E_RECORD_VALUE', `field '${name}' is NULL, and must not be`);
        return null;
      }
      if (kept(cell)) return cell;
      const value = fit.toValue(cell, () => undefined);
      if (tree !== null) return value instanceof Map ? restCell(rawDocument(serialize(value as never)), tree) : null;
      return readAs(fit.stored, rawOf(value));
    },
  };
}

function rawOf(value: BsonValue): RawValue | null {
  return rawElements(rawDocument(serialize(new Map([['v', value]]) as never)))[0]?.value ?? null;
}

/** Whether a value comes back as it went, told without making BSON of it: so do nearly all. */
function keeper(type: LogicalType): (cell: Cell) => boolean {
  switch (type) {
    case 'bool':
    case 'int32':
    case 'int64':
    case 'float64':
    case 'bytes':
      return () => true;
    case 'text':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'interval':
      return (cell) => (cell as string).isWellFormed();
    case 'decimal':
      return (cell) => PLAIN.test(cell as string);
    case 'timestamptz':
      return (cell) =>
        (cell as bigint) % 1000n === 0n && (cell as bigint) <= MAX_DATE_MS * 1000n && (cell as bigint) >= -MAX_DATE_MS * 1000n;
    default:
      return () => false;
  }
}

/** At most 34 digits; a zero in front is none, but few numbers have so many. */
const PLAIN = /^-?(?:\d{1,20}|\d{1,16}\.\d{1,18})$/;
