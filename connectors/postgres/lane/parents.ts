import type { MappedBatch } from '../../../src/sdk.ts';
import { copyInto } from '../copy/in.ts';
import { batchLayout, parentLines } from './lines.ts';
import { parentRowsSql } from './sql.ts';
import type { Writer } from './write.ts';

/** The table holds rows of a parent whose rows are to be replaced: some of them may have to go. */
export class RowsThere extends Error {
  override readonly name = 'RowsThere';
}

/** @throws {RowsThere} where the table holds rows of the parents whose rows the batch replaces; where it holds none, all that is to be done is to add them */
export async function expectNoRows(
  { session, lane, sql, clearStage }: Writer,
  { records, replaceWithin }: MappedBatch,
  layoutOf: Parameters<typeof batchLayout>[2],
): Promise<void> {
  if (replaceWithin === undefined || replaceWithin.parents.length === 0 || lane.onDelete === 'ignore') return;
  const layout = batchLayout(lane, records, layoutOf);
  const columns = replaceWithin.fields.map((field) => layout.findIndex((source) => source.field === field));
  await clearStage();
  await copyInto(session, sql.copy, { rows: [parentLines(layout, columns, replaceWithin.parents)] });
  const [row] = await session.query(parentRowsSql(lane, sql.stage, columns));
  if (row?.[0] === 't') throw new RowsThere();
}
