import { isTrueupError } from '../../errors.ts';
import type { Cell, Row } from '../../model/cell.ts';
import { planConversion } from '../../model/conversion.ts';
import type { LogicalType } from '../../model/logical-type.ts';
import { decodedCell } from '../../model/records.ts';
import type { Records } from '../../model/records.ts';
import { fieldIndex } from '../../model/shape.ts';
import type { Shape } from '../../model/shape.ts';
import { canonicalKey, comparedField } from '../../reconcile/compared-fields.ts';
import type { Embed } from './embed-ref.ts';

/** What the children of some records are looked up by, and whose a child is. */
export interface JoinValues {
  /** Carriers of the child's types, each once, without those that hold NULL. */
  readonly values: readonly (readonly Cell[])[];
  /** Whether equal values have equal carriers: else whose a child is, only its system can say. */
  readonly isPlain: boolean;
  /** The records that each child of a batch belongs to. */
  ownersIn(shape: Shape, records: Records): OwnersOf;
}

/** `null`: its system finds the child equal to one of them, its value does not say to which. */
export type OwnersOf = (child: Row) => readonly number[] | null;

/** Types whose values are equal in every system exactly when their carriers are equal by value. */
const PLAIN: ReadonlySet<LogicalType> = new Set<LogicalType>([
  'bool',
  'int32',
  'int64',
  'decimal',
  'text',
  'bytes',
  'uuid',
  'objectId',
  'date',
  'time',
  'timestamp',
  'timestamptz',
]);

export function joinValues(
  embed: Embed,
  parents: { readonly shape: Shape; readonly records: Records; readonly rows: readonly Row[]; isWhole(index: number): boolean },
): JoinValues {
  const childTypes = embed.on.map(({ child }) => typeOf(embed.ref.shape, child));
  const compared = childTypes.map((type) => comparedField('', type));
  const read = converter(
    embed.on.map(({ parent }, index) => ({
      index: fieldIndex(parents.shape, parent),
      from: typeOf(parents.shape, parent),
      to: childTypes[index] as LogicalType,
    })),
  );
  const owners = new Map<string, { readonly value: readonly Cell[]; readonly indices: number[] }>();
  parents.rows.forEach((row, index) => {
    const value = parents.isWhole(index) ? read(parents.records, row) : null;
    if (value === null) return;
    const text = canonicalKey(compared, value);
    const known = owners.get(text);
    if (known === undefined) owners.set(text, { value, indices: [index] });
    else known.indices.push(index);
  });
  return {
    values: [...owners.values()].map(({ value }) => value),
    isPlain: childTypes.every((type) => PLAIN.has(type)),
    ownersIn: (shape, records) => {
      const fields = embed.on.map((on) => fieldIndex(shape, on.child));
      return remembered(fields, (child) => {
        const value = fields.map((field) => decodedCell(records, child, field));
        return owners.get(canonicalKey(compared, value))?.indices ?? null;
      });
    },
  };
}

/** Children of one record mostly come one after another: what was found for the same cells a moment ago is not looked up again. */
function remembered(fields: readonly number[], ownersOf: OwnersOf): OwnersOf {
  let last: { readonly child: Row; readonly owners: readonly number[] | null } | null = null;
  return (child) => {
    const known = last;
    if (known !== null && fields.every((field) => child[field] === known.child[field])) return known.owners;
    last = { child, owners: ownersOf(child) };
    return last.owners;
  };
}

/** The fields of records that join them, as carriers of other types. `null`: one is NULL, absent, or no value of that type, and equals nothing. */
export function converter(
  fields: readonly { readonly index: number; readonly from: LogicalType; readonly to: LogicalType }[],
): (records: Records, row: Row) => Cell[] | null {
  const plans = fields.map(({ from, to }) => planConversion({ from, to, onLoss: 'error' }));
  return (records, row) => {
    try {
      const cells = fields.map(({ index }, at) => plans[at]?.convert(decodedCell(records, row, index), () => undefined));
      return cells.some((cell) => cell === null || cell === undefined) ? null : cells;
    } catch (error) {
      if (isTrueupError(error) && error.fault === 'record') return null;
      throw error;
    }
  };
}

export function typeOf(shape: Shape, name: string): LogicalType {
  return shape.fields[fieldIndex(shape, name)]?.type ?? 'unknown';
}
