import { keyNames, isTrueupError } from '../../../src/sdk.ts';
import type { Cell, TargetStream, WrittenBy } from '../../../src/sdk.ts';
import { typeEncoder } from '../values/encode.ts';
import { parseStreamName, quoteIdentifier, quoteRelation } from '../quote.ts';
import type { Session } from '../session/session.ts';
import { KEPT_NOTES } from './commits.ts';
import { isoText } from './lease.ts';
import { isMissing } from './missing.ts';
import type { StoreTables } from './schema.ts';
import { readTables } from '../ddl/target-table.ts';
import type { TargetTable } from '../ddl/target-table.ts';

export interface WrittenByRequest {
  readonly stream: TargetStream;
  /** In key order. */
  readonly key: readonly Cell[];
  readonly defaultSchema: string;
  readonly tables: StoreTables;
}

/**
 * The commit whose note has the transaction id of the row. `null`: the row is not there, was written last by somebody else or by a commit whose note is
 * gone; or several notes share the id, as after a restore of the whole database in one transaction.
 */
export async function readWrittenBy(session: Session, request: WrittenByRequest): Promise<WrittenBy | null> {
  const { stream, defaultSchema, tables, key } = request;
  const relation = parseStreamName(stream.target, defaultSchema);
  const found = await readTables(session, relation === null ? [] : [relation]);
  const [table] = found.tables;
  const match = table === undefined || key.includes(null) ? null : keyMatch(table, stream, key);
  if (table === undefined || match === null) return null;
  const rows = await session
    .query(
      `select h.run, h.epoch::text, ${isoText('h.at')}, h.position
         from (select t.xmin from ${quoteRelation(table.relation)} t where ${match.sql}) r(x) join ${tables.commits} h on h.xmin = r.x
        where pg_catalog.age(h.xmin) <= $1::int8 limit 2`,
      [String(KEPT_NOTES.transactions), ...match.values],
    )
    .catch((error: unknown) => {
      if (isTrueupError(error) && isMissing(error)) return [];
      throw error;
    });
  const [row] = rows;
  if (row === undefined || rows.length > 1) return null;
  const [run, epoch, at, position] = row as readonly [string, string, string, string];
  return { run, epoch: Number(epoch), at, ...(position === '' ? {} : { position }) };
}

/** `$1` is taken. */
function keyMatch(
  table: TargetTable,
  stream: TargetStream,
  key: readonly Cell[],
): { readonly sql: string; readonly values: string[] } | null {
  const columns = keyNames(stream.shape).map((name) => table.columns.find((column) => column.name === name));
  if (columns.length === 0 || columns.includes(undefined)) return null;
  const present = columns.filter((column) => column !== undefined);
  return {
    sql: present.map((column, index) => `t.${quoteIdentifier(column.name)} = $${index + 2}::text::${column.baseText}`).join(' and '),
    values: present.map((column, index) => typeEncoder(column.logical)(key[index] as Cell)),
  };
}
