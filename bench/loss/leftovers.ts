import pg from 'pg';
import type { Tool } from './tool.ts';

/** Tables in the target that are neither the copy nor what the tool documents as its own, with their sizes: staging that nobody removed. */
export async function findLeftovers(targetUrl: string, tool: Tool): Promise<{ tables: number; bytes: number }> {
  const client = new pg.Client({ connectionString: targetUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; bytes: string }>(
      `select n.nspname || '.' || c.relname as name, pg_total_relation_size(c.oid) as bytes
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`,
    );
    const own = `${tool.writes.schema}.${tool.writes.name}`;
    const left = rows.filter(({ name }) => name !== own && !tool.bookkeeping.test(name));
    return { tables: left.length, bytes: left.reduce((sum, { bytes }) => sum + Number(bytes), 0) };
  } finally {
    await client.end();
  }
}
