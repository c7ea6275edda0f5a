import pg from 'pg';
import { TABLE } from './source-table.ts';
import type { TargetTable } from './tool.ts';

/** What sets the target apart from the source, found by comparing contents key by key. Counts of rows prove nothing. */
export interface Differences {
  /** Of the source. */
  readonly rows: number;
  /** Keys of the source that the target lacks. */
  readonly missing: number;
  /** Keys whose row in the target is an older version. */
  readonly stale: number;
  /** Rows beyond the first of their key in the target. */
  readonly duplicated: number;
  /** Keys of the target that the source lacks; nothing is ever deleted here, so these were rolled back. */
  readonly extra: number;
  /** Keys whose row is neither the source's nor an older version of it. */
  readonly wrong: number;
}

interface Row {
  readonly id: string;
  readonly version: number;
  readonly content: string;
}

/**
 * Each value through one type, so that a tool is not blamed for the column types that it creates: numeric(38,9) beside numeric(12,2), or a
 * timestamp without zone that means UTC.
 */
const COLUMNS = `id::bigint::text as id, version::integer as version,
  concat_ws(E'\\t', customer, trim_scale(amount::numeric), note, (updated_at::timestamptz at time zone 'UTC')::text) as content`;

/** Only when nobody writes: both tables are read one after the other. */
export async function compareContents(sourceUrl: string, targetUrl: string, target: TargetTable): Promise<Differences> {
  const source = new Map((await readRows(sourceUrl, TABLE)).map((row) => [row.id, row]));
  const found = Map.groupBy(await readRows(targetUrl, target), ({ id }) => id);
  const differences = { rows: source.size, missing: 0, stale: 0, duplicated: 0, extra: 0, wrong: 0 };
  for (const [id, row] of source) {
    const copies = found.get(id) ?? [];
    const verdict = judge(row, copies);
    if (verdict !== 'equal') differences[verdict] += 1;
    differences.duplicated += Math.max(0, copies.length - 1);
  }
  for (const id of found.keys()) if (!source.has(id)) differences.extra += 1;
  return differences;
}

/** A key with several rows is as good as its best one; that there are several is counted by itself. */
function judge(row: Row, copies: readonly Row[]): 'equal' | 'missing' | 'stale' | 'wrong' {
  if (copies.length === 0) return 'missing';
  if (copies.some(({ version, content }) => version === row.version && content === row.content)) return 'equal';
  return copies.every(({ version }) => version < row.version) ? 'stale' : 'wrong';
}

/** A table that is not there has no rows: the tool has not come as far as creating it. */
async function readRows(url: string, { schema, name }: TargetTable): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`set timezone = 'UTC'`);
    const table = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
    const { rows: there } = await client.query<{ found: boolean }>('select to_regclass($1) is not null as found', [table]);
    if (there[0]?.found !== true) return [];
    return (await client.query<Row>(`select ${COLUMNS} from ${table}`)).rows;
  } finally {
    await client.end();
  }
}

export const NO_DIFFERENCES: Omit<Differences, 'rows'> = { missing: 0, stale: 0, duplicated: 0, extra: 0, wrong: 0 };

/** Rows that the target does not have as the source has them. */
export function lostRows({ missing, stale, wrong }: Omit<Differences, 'rows'>): number {
  return missing + stale + wrong;
}

export function addDifferences(all: readonly Differences[]): Differences {
  const sum = { rows: 0, ...NO_DIFFERENCES };
  const keys = Object.keys(sum) as (keyof typeof sum)[];
  for (const one of all) for (const key of keys) sum[key] += one[key];
  return sum;
}
