import { TrueupError } from '../../../src/sdk.ts';
import type { Cell, StoredField, TargetStream } from '../../../src/sdk.ts';
import { changed, laneColumn } from '../lane/table.ts';
import type { LaneColumn } from '../lane/table.ts';
import { parseStreamName } from '../quote.ts';
import type { Session } from '../session/session.ts';
import { readTables } from '../ddl/target-table.ts';

/**
 * How the stream's table holds mapped values. A table that does not exist yet holds them as they are.
 * @throws {TrueupError} `E_PLAN_CHANGED` when the table is not as a plan would have made it
 */
export async function storedFields(session: Session, stream: TargetStream, defaultSchema: string): Promise<(StoredField | null)[]> {
  const relation = parseStreamName(stream.target, defaultSchema);
  const { tables } = await readTables(session, relation === null ? [] : [relation]);
  const [table] = tables;
  if (table === undefined) return stream.shape.fields.map(({ type }) => ({ type, convert: (cell) => cell }));
  if (table.kind !== 'r' && table.kind !== 'p') throw changed(stream, 'it is no table');
  return stream.shape.fields.map((field, index) => {
    const [lane] = laneColumn({ stream, table, field, index });
    return lane === undefined ? null : storedField(lane);
  });
}

function storedField({ column, field, fit }: LaneColumn): StoredField {
  const unseen = () => undefined;
  const texts = hasTexts(column.logical);
  const refuse = (why: string): never => {
    throw new TrueupError('E_RECORD_VALUE', `field '${field.name}' ${why}`);
  };
  return {
    type: column.logical,
    convert: (cell) => {
      if (cell === undefined) refuse('is absent, and a column cannot be: map it with a default');
      const stored = cell === null ? null : fit.toCell(cell, unseen);
      if (stored === null && column.notNull) refuse(`is NULL, and column '${column.name}' is NOT NULL`);
      if (texts && fit.kind !== 'raw' && !isStorable(stored))
        refuse('holds a NUL character or a lone surrogate, which PostgreSQL cannot store');
      return stored;
    },
  };
}

function hasTexts(type: StoredField['type']): boolean {
  return typeof type !== 'string' || ['text', 'unknown', 'json'].includes(type);
}

function isStorable(cell: Cell): boolean {
  if (typeof cell === 'string') return !cell.includes('\0') && cell.isWellFormed();
  return !Array.isArray(cell) || (cell as readonly Cell[]).every(isStorable);
}
