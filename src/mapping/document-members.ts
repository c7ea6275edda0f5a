import { parsedJson } from '../model/cell-json.ts';
import type { Cell, Variant } from '../model/cell.ts';
import type { OnLoss } from '../model/contracts.ts';
import { planJsonPart } from '../model/conversion.ts';
import type { ExactJson } from '../model/exact-json.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { jsonTextOf, jsonValue } from './expression/load.ts';
import { namedType } from './named-type.ts';

/** One name of a document, and what stands there. */
export interface Member {
  readonly name: string;
  json(onLoss: OnLoss, note: (kind: string) => void): string;
}

/**
 * The names of a document, in its order. `null`: the value is no document.
 *
 * @throws {TrueupError} `E_RECORD_VALUE` for text that is no JSON
 */
export function documentMembers(type: LogicalType, cell: Cell, place: string): readonly Member[] | null {
  if (cell === null || cell === undefined) return null;
  if (type === 'variant') {
    const { variant, value } = cell as Variant;
    const named = namedType(variant);
    return named === null || named === 'variant' ? null : documentMembers(named, value, place);
  }
  if (type === 'json') {
    const json = parsedJson(cell as string, place);
    if (!(json instanceof Map)) return null;
    return [...(json as ReadonlyMap<string, ExactJson>)].map(([name, item]): Member => ({ name, json: () => jsonTextOf(jsonValue(item)) }));
  }
  if (typeof type === 'string' || !('struct' in type)) return null;
  return type.struct.map((field, index): Member => ({
    name: field.name,
    json: (onLoss, note) => {
      const item = (cell as readonly Cell[])[index];
      const text = planJsonPart({ from: field.type, onLoss, place }).convert(item, note);
      return typeof text === 'string' ? text : 'null';
    },
  }));
}
