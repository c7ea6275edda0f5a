import type { LogicalType } from '../model/logical-type.ts';
import { parseType } from '../model/type-text.ts';

/** Documents of a collection repeat few types. */
const MAX_KNOWN = 2_000;
const known = new Map<string, LogicalType | null>();

/** The type that a variant names; `null`: it is no type. */
export function namedType(text: string): LogicalType | null {
  const found = known.get(text);
  if (found !== undefined) return found;
  const type = parseType(text);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, type);
  return type;
}
