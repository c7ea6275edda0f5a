import { isTrueupError } from '../errors.ts';
import type { FieldPlan, MappingPlan } from '../mapping/plan.ts';
import { isForeign } from '../model/carrier.ts';
import { cellFromText, cellToText } from '../model/cell-text.ts';
import type { Cell } from '../model/cell.ts';
import { planConversion } from '../model/conversion.ts';
import { shiftDecimalText } from '../model/decimal.ts';
import type { LogicalType } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';

/*
 * From a key of the target back to the key of the source. Key fields of the target are made of key fields of the source alone; where each of those can be
 * read off one of them, the source can be asked for the record. A hash or a free expression cannot be turned around.
 */

/** Key cells of the source, in its key order; `null`: this key was not made from one of the source, or cannot be turned around. */
export type SourceKeyOf = (target: readonly Cell[]) => Cell[] | null;

export interface SourceKeyInit {
  readonly mapping: MappingPlan;
  readonly source: Shape;
  /** The types in which the target gives its key back, in key order. */
  readonly stored: readonly LogicalType[];
}

type Back = (cell: Cell) => Cell;

/** `null`: keys of this mapping cannot be turned around at all. */
export function sourceKeys({ mapping, source, stored }: SourceKeyInit): SourceKeyOf | null {
  const parts = source.key.map((index) => {
    const { name, type } = source.fields[index] as Shape['fields'][number];
    const ways = mapping.shape.key.flatMap((at, position) => {
      const back = backOf(mapping.fields[at] as FieldPlan, { name, type, stored: stored[position] as LogicalType });
      return back === null ? [] : [{ position, back }];
    });
    return ways[0] ?? null;
  });
  if (parts.includes(null)) return null;
  const all = parts.filter((part) => part !== null);
  return (target) => {
    // The target may hold a key of another type, which somebody else made.
    if (stored.some((type, position) => isForeign(type, target[position]))) return null;
    try {
      const cells = all.map(({ position, back }) => back(target[position]));
      return cells.some((cell) => cell === null || cell === undefined) ? null : cells;
    } catch (error) {
      if (isTrueupError(error) && error.fault === 'record') return null;
      throw error;
    }
  };
}

interface KeyField {
  readonly name: string;
  readonly type: LogicalType;
  readonly stored: LogicalType;
}

/** Turns one key field around; `null`: it says nothing of this field of the source, or too little. */
function backOf(plan: FieldPlan, { name, type, stored }: KeyField): Back | null {
  switch (plan.kind) {
    case 'copy':
      return plan.from === name ? converted(stored, type) : null;
    case 'cast':
      // A zone makes two wall times of an hour that comes twice into two instants, and none of an hour that is left out.
      return plan.from === name && plan.path.length === 0 && plan.zone === null ? converted(stored, type) : null;
    case 'shift':
      return plan.from === name && plan.path.length === 0 ? shiftedBack(plan.places, stored, type) : null;
    case 'lookup':
      return plan.from === name && plan.path.length === 0 && plan.fallback === undefined ? lookedUp(plan, stored, type) : null;
    case 'const':
    case 'mask':
    case 'expr':
    case 'rest':
    case 'others':
      return null;
  }
}

function converted(from: LogicalType, to: LogicalType): Back | null {
  const plan = planConversion({ from, to, onLoss: 'error' });
  return plan.kind === 'impossible' ? null : (cell) => plan.convert(cell, () => undefined);
}

function shiftedBack(places: number, stored: LogicalType, type: LogicalType): Back | null {
  const toDecimal = converted(stored, 'decimal');
  const fromDecimal = converted('decimal', type);
  if (toDecimal === null || fromDecimal === null) return null;
  return (cell) => {
    const decimal = toDecimal(cell);
    const shifted = typeof decimal === 'string' ? shiftDecimalText(decimal, -places) : null;
    return shifted === null ? null : fromDecimal(shifted);
  };
}

function lookedUp({ entries, to }: Extract<FieldPlan, { kind: 'lookup' }>, stored: LogicalType, type: LogicalType): Back | null {
  const toResult = converted(stored, to);
  if (toResult === null) return null;
  const texts = new Map(entries.map(([text, result]) => [result === null ? null : cellToText(to, cellFromText(to, result)), text]));
  return (cell) => {
    const text = texts.get(cellToText(to, toResult(cell)));
    return text === undefined ? null : cellFromText(type, text);
  };
}
