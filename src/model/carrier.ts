import type { Cell, Variant } from './cell.ts';
import type { LogicalType } from './logical-type.ts';

/**
 * Why a cell is not a carrier of its type, or `null` when it is one. Checks what JavaScript cannot: that an int64 is a bigint within 64 bits,
 * a text well-formed. Formats of texts (decimal, date, …) are not looked into. NULL and absent cells are carriers of every type.
 * Never mentions the value.
 */
export function carrierProblem(type: LogicalType, cell: Cell): string | null {
  if (cell === null || cell === undefined) return null;
  if (typeof type !== 'string') return listProblem(type, cell);
  switch (type) {
    case 'bool':
      return typeof cell === 'boolean' ? null : expected('a boolean', cell);
    case 'int32':
      return typeof cell === 'number' && (cell | 0) === cell ? null : expected('a whole number of 32 bits', cell);
    case 'float64':
      return typeof cell === 'number' ? null : expected('a number', cell);
    case 'int64':
    case 'timestamptz':
      return typeof cell === 'bigint' && BigInt.asIntN(64, cell) === cell ? null : expected('a bigint of 64 bits', cell);
    case 'bytes':
      return cell instanceof Uint8Array ? null : expected('a Uint8Array', cell);
    case 'variant':
      return isVariant(cell) ? null : expected('a variant', cell);
    default:
      return textProblem(cell);
  }
}

function textProblem(cell: Cell): string | null {
  if (typeof cell !== 'string') return expected('a string', cell);
  return cell.isWellFormed() ? null : 'the text holds a lone surrogate, which is no character';
}

function listProblem(type: Exclude<LogicalType, string>, cell: Cell): string | null {
  if (!Array.isArray(cell)) return expected('an array', cell);
  const cells = cell as readonly Cell[];
  if ('list' in type) return firstProblem(cells, () => type.list);
  if (cells.length !== type.struct.length) return `expected ${type.struct.length} cells of a struct, got ${cells.length}`;
  return firstProblem(cells, (index) => type.struct[index]?.type ?? 'unknown');
}

function firstProblem(cells: readonly Cell[], typeAt: (index: number) => LogicalType): string | null {
  for (const [index, cell] of cells.entries()) {
    const problem = carrierProblem(typeAt(index), cell);
    if (problem !== null) return problem;
  }
  return null;
}

function expected(what: string, cell: Cell): string {
  return `expected ${what}, got ${cell instanceof Uint8Array ? 'a Uint8Array' : Array.isArray(cell) ? 'an array' : `a ${typeof cell}`}`;
}

export function isVariant(cell: Cell): cell is Variant {
  return typeof cell === 'object' && cell !== null && 'variant' in cell;
}

/** A value of another type than its field has, as somebody else may have put it into a target that does not mind: it names its own type. */
export function isForeign(type: LogicalType, cell: Cell): boolean {
  return type !== 'variant' && isVariant(cell);
}
