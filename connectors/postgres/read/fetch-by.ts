import { TrueupError } from '../../../src/sdk.ts';
import type { Batch, Cell } from '../../../src/sdk.ts';
import { batchOf, readRows } from '../copy/read.ts';
import type { BatchLimits } from '../copy/read.ts';
import { textArray, valuesSql } from './key-list.ts';
import { columnSql, orderBy, selectSql, setValues } from './reading.ts';
import type { Reading } from './reading.ts';
import type { Column, Relation } from '../relation.ts';
import type { StreamReader } from './stream-reader.ts';

/** Values of one statement. */
const VALUES_AT_ONCE = 5000;

export interface FetchBy {
  readonly reader: StreamReader;
  readonly fields: readonly string[];
  /** Carriers, aligned to `fields`. */
  readonly values: readonly (readonly Cell[])[];
  readonly limits: BatchLimits;
}

/** Current rows whose fields equal one of the values, from one snapshot. NULL equals nothing, as in SQL. */
export async function* readBy({ reader, fields, values, limits }: FetchBy): AsyncGenerator<Batch> {
  if (values.length === 0) return;
  const { reading: full } = await reader.begin();
  const reading: Reading = { ...full, order: null, orderKind: 'counter' };
  const columns = fields.map((name) => wanted(reading, name));
  const session = await reader.session();
  for (let from = 0; from < values.length; from += VALUES_AT_ONCE) {
    const some = values.slice(from, from + VALUES_AT_ONCE).filter((cells) => !cells.includes(null));
    if (some.length === 0) continue;
    await setValues(
      session,
      Object.fromEntries(columns.map((column, index) => [`v${index}`, textArray(column, reading.relation, some, index)])),
    );
    for await (const read of readRows(
      session,
      reading,
      selectSql(reading, [matchSql(columns, reading.relation)], orderBy(reading.key)),
      limits,
    ))
      yield batchOf(reading, read, null);
  }
  await reader.end();
}

function wanted(reading: Reading, name: string): Column {
  const column = reading.relation.columns.find((one) => one.name === name);
  if (column === undefined)
    throw new TrueupError('E_PLAN_CHANGED', `Column '${name}' of stream '${reading.ref.name}' is not there any more.`);
  return column;
}

/** One column compares with an array, which an index can serve; several with a list of rows. */
function matchSql(columns: readonly Column[], relation: Relation): string {
  const [only] = columns;
  if (columns.length === 1 && only !== undefined && relation.types.get(only.type)?.kind !== 'array')
    return `${columnSql(only)} = any(${valuesSql(0)}::${only.cast}[])`;
  const list = columns.map((column, index) => `v.c${index}::${column.cast}`).join(', ');
  const names = columns.map((_, index) => `c${index}`).join(', ');
  return `(${columns.map(columnSql).join(', ')}) in (select ${list} from unnest(${columns.map((_, index) => valuesSql(index)).join(', ')}) as v(${names}))`;
}
