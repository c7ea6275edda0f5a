import { JsonNumber } from '../../src/sdk.ts';
import type { ExactJson, LogicalType } from '../../src/sdk.ts';

/** What a value in a file looks like, for fields whose type nobody declared. */
export type Kind = 'int' | 'decimal' | 'bool' | 'text' | 'json';

/** So short that it fits whatever its digits are. */
const SHORT_INT = /^(?:0|-?[1-9]\d{0,17})$/;
const INT = /^-?(?:0|[1-9]\d{0,18})$/;
const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

/**
 * Only what reads back as the same text is taken for a number: `007`, `+5`, `1e3` and `-0` are texts.
 */
export function kindOfText(text: string): Kind {
  if (SHORT_INT.test(text)) return 'int';
  if (text === 'true' || text === 'false') return 'bool';
  if (text === '-0') return 'text';
  if (INT.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)) return 'int';
  return DECIMAL.test(text) ? 'decimal' : 'text';
}

/** `null`: JSON null, which says nothing. */
export function kindOfJson(json: ExactJson): Kind | null {
  if (json === null) return null;
  if (typeof json === 'string') return 'text';
  if (typeof json === 'boolean') return 'bool';
  if (!(json instanceof JsonNumber)) return 'json';
  const kind = kindOfText(json.text);
  return kind === 'text' ? 'decimal' : kind;
}

/** The narrowest type that holds all of these exactly. */
export function typeOfKinds(kinds: ReadonlySet<Kind>, text: 'csv' | 'jsonl'): LogicalType {
  if (kinds.size === 0) return 'text';
  if (kinds.size === 1) {
    const [only] = kinds;
    return only === 'int' ? 'int64' : (only as 'decimal' | 'bool' | 'text' | 'json');
  }
  if ([...kinds].every((kind) => kind === 'int' || kind === 'decimal')) return 'decimal';
  // In CSV everything is text anyway; in JSON the number 5 and the text "5" are two things.
  return text === 'csv' ? 'text' : 'json';
}
