import { isTrueupError } from '../errors.ts';
import { cellFromText, cellToText } from '../model/cell-text.ts';
import type { Row } from '../model/cell.ts';
import { exactJsonText, parseExactJson } from '../model/exact-json.ts';
import type { ExactJson } from '../model/exact-json.ts';
import type { Field, LogicalType } from '../model/logical-type.ts';
import { typeText } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';
import { knownNames } from '../model/suggest.ts';

/**
 * How a mapped row differs from the expected one, a line per field, or `null`. A field that is not expected must be NULL or absent, so that nothing
 * arrives unseen.
 */
export function rowDifference(shape: Shape, expected: ReadonlyMap<string, string | null>, row: Row): string | null {
  const names = shape.fields.map((field) => field.name);
  const unknown = [...expected.keys()]
    .filter((name) => !names.includes(name))
    .map((name) => `  ${name}: the mapping yields no such field.${knownNames(name, names, 'Fields')}`);
  const different = shape.fields.flatMap((field, index) => fieldDifference(field, expected, row[index]) ?? []);
  const lines = [...unknown, ...different];
  return lines.length === 0 ? null : lines.join('\n');
}

function fieldDifference(field: Field, expected: ReadonlyMap<string, string | null>, cell: Row[number]): string | null {
  const wanted = expected.get(field.name) ?? null;
  const got = comparable(field.type, cellToText(field.type, cell));
  if (wanted === null)
    return got === null ? null : `  ${field.name}: expected ${expected.has(field.name) ? 'NULL' : 'nothing'}, got ${shown(got)}`;
  const canonical = canonicalText(field.type, wanted);
  if (canonical === undefined) return `  ${field.name}: what is expected is no ${typeText(field.type)}`;
  return canonical === got ? null : `  ${field.name}: expected ${shown(canonical)}, got ${shown(got)}`;
}

/** `undefined`: the text is no value of the type. */
function canonicalText(type: LogicalType, text: string): string | null | undefined {
  try {
    return comparable(type, cellToText(type, cellFromText(type, text)));
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    return undefined;
  }
}

/** JSON without its white space and the order of its names. */
function comparable(type: LogicalType, text: string | null): string | null {
  if (type !== 'json' || text === null) return text;
  return exactJsonText(sorted(parseExactJson(text)));
}

function sorted(json: ExactJson): ExactJson {
  if (Array.isArray(json)) return (json as readonly ExactJson[]).map(sorted);
  if (!(json instanceof Map)) return json;
  return new Map(
    [...(json as ReadonlyMap<string, ExactJson>)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, sorted(value)]),
  );
}

function shown(text: string | null): string {
  if (text === null) return 'NULL';
  return text.length > 200 ? `${JSON.stringify(text.slice(0, 200))}… (${text.length} characters)` : JSON.stringify(text);
}
