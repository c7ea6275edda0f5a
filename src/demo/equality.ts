import type { Client } from 'pg';

export interface TableComparison {
  readonly table: string;
  readonly rows: { readonly shop: number; readonly archive: number };
  /** MD5 over the text of every row in key order. */
  readonly md5: { readonly shop: string; readonly archive: string };
  readonly equal: boolean;
}

/**
 * Compares a table on both sides with plain SQL, all columns and all rows. On purpose it shares nothing with trueup: what proves a sync must
 * not be the sync.
 */
export async function compareTable(shop: Client, archive: Client, table: string): Promise<TableComparison> {
  const columns = await columnsOf(shop, table);
  const [source, target] = await Promise.all([digest(shop, table, columns), digest(archive, table, columns)]);
  return {
    table,
    rows: { shop: source.rows, archive: target.rows },
    md5: { shop: source.md5, archive: target.md5 },
    equal: source.rows === target.rows && source.md5 === target.md5,
  };
}

async function columnsOf(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "select quote_ident(column_name) as name from information_schema.columns where table_schema = 'public' and table_name = $1 order by ordinal_position",
    [table],
  );
  return rows.map((row) => row.name);
}

async function digest(client: Client, table: string, columns: readonly string[]): Promise<{ rows: number; md5: string }> {
  await client.query("set timezone = 'UTC'; set datestyle = 'ISO'; set extra_float_digits = 3; set bytea_output = 'hex'");
  const { rows } = await client.query<{ rows: string; md5: string }>(
    `select count(*)::text as rows, md5(coalesce(string_agg(md5(row(${columns.map((column) => `t.${column}`).join(', ')})::text), '' order by t.id), '')) as md5
     from public.${table} t`,
  );
  return { rows: Number(rows[0]?.rows), md5: rows[0]?.md5 ?? '' };
}
