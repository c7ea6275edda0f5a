import { TrueupError } from '../errors.ts';
import { jsonToCell, parsedJson } from '../model/cell-json.ts';
import type { Cell, Variant } from '../model/cell.ts';
import type { ExactJson } from '../model/exact-json.ts';
import { typeText } from '../model/logical-type.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { documentMembers } from './document-members.ts';
import { namedType } from './named-type.ts';
import type { UnwindPlan } from './plan.ts';
import { cellReader } from './row-context.ts';
import type { RowContext } from './row-context.ts';
import { followSteps, insideType } from './source-path.ts';

/** The elements of a record's array, as cells of the element's type. No array is no elements. @throws {TrueupError} `E_RECORD_VALUE` for what is no array */
export type ReadElements = (context: RowContext) => readonly Cell[];

/** @param above the shape of the records, which holds the array */
export function arrayReader(above: Shape, { array, element }: Pick<UnwindPlan, 'array' | 'element'>): ReadElements {
  const index = fieldIndex(above, array.from);
  const field = above.fields[index] as Shape['fields'][number];
  const read = cellReader(field, index);
  const inside = insideType(field.type, array.path);
  if (typeof inside === 'string') throw new TrueupError('E_PLAN_CHANGED', `'${element}': ${inside} field '${array.from}' any more`);
  return (context) => elementsOf(inside.type, followSteps(read(context), inside.steps, 'json', `'${element}'`), element);
}

function elementsOf(type: LogicalType, cell: Cell, name: string): readonly Cell[] {
  if (cell === null || cell === undefined) return [];
  if (type === 'json') return jsonElements(parsedJson(cell as string, `'${name}'`), name);
  if (type !== 'variant') return cell as readonly Cell[];
  const { variant, value } = cell as Variant;
  const named = namedType(variant);
  if (named === null || typeof named === 'string' || !('list' in named))
    throw noArray(name, named === null ? 'unknown to trueup' : kindText(named));
  if (value === null || value === undefined) return [];
  if (named.list === 'variant') return value as readonly Cell[];
  const text = typeText(named.list);
  return (value as readonly Cell[]).map((item) => (item === null || item === undefined ? null : { variant: text, value: item }));
}

function jsonElements(json: ExactJson, name: string): readonly Cell[] {
  if (json === null) return [];
  if (!Array.isArray(json)) throw noArray(name, json instanceof Map ? 'a document' : 'a single value');
  return (json as readonly ExactJson[]).map((item) => (item === null ? null : jsonToCell('json', item, `'${name}'`)));
}

function noArray(name: string, what: string): TrueupError {
  return new TrueupError('E_RECORD_VALUE', `an array was expected in '${name}', and there is ${what}`);
}

/** A document has as many types as there are documents: it is enough to say that it is one. */
function kindText(type: LogicalType): string {
  return typeof type !== 'string' && 'struct' in type ? 'a document' : `a value of type ${typeText(type)}`;
}

/** @throws {TrueupError} `E_RECORD_VALUE` for an element that cannot be a row, whatever its fields are */
export function checkElement({ documents, names, element }: UnwindPlan, shape: Shape, cell: Cell): void {
  if (!documents) return;
  const type = shape.fields[fieldIndex(shape, element)]?.type ?? 'unknown';
  if (!isDocument(type, cell)) throw new TrueupError('E_RECORD_VALUE', `a document was expected, and there is ${foundText(type, cell)}`);
  if (names === null) return;
  const other = documentMembers(type, cell, `'${element}'`)?.find(({ name }) => !names.includes(name));
  if (other !== undefined)
    throw new TrueupError(
      'E_RECORD_VALUE',
      `'${other.name}' is not among the fields that the mapping names (${names.join(', ')}), and 'otherFields' is error`,
    );
}

function isDocument(type: LogicalType, cell: Cell): boolean {
  if (cell === null || cell === undefined) return false;
  if (type === 'json') return (cell as string).trimStart().startsWith('{');
  if (type !== 'variant') return typeof type !== 'string' && 'struct' in type;
  const named = namedType((cell as Variant).variant);
  return named !== null && typeof named !== 'string' && 'struct' in named;
}

function foundText(type: LogicalType, cell: Cell): string {
  if (cell === null || cell === undefined) return 'null';
  if (type !== 'variant') return 'another value';
  const named = namedType((cell as Variant).variant);
  return named === null ? 'a value of an unknown type' : kindText(named);
}
