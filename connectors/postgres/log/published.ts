import { TrueupError } from '../../../src/sdk.ts';
import type { StreamRef } from '../../../src/sdk.ts';
import { parseStreamName } from '../quote.ts';
import { withReading } from '../session/session.ts';
import type { Server } from '../session/session.ts';

/**
 * What makes each stream part of the publication, by stream: the oid of its entry, or of the table where all (of a schema) are published. A table that was made anew, was taken out
 * and put in again, or whose publication was, has another one: what happened to it in between is in the log without being told.
 */
export type Published = Readonly<Record<string, string>>;

const ENTRIES = `
select n.nspname::text, c.relname::text, coalesce(r.oid, c.oid)::text
  from pg_catalog.pg_publication p
  cross join pg_catalog.json_to_recordset($2::json) x(schema text, name text)
  join pg_catalog.pg_namespace n on n.nspname = x.schema
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = x.name
  left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid and r.prrelid = c.oid
 where p.pubname = $1
   and exists (select from pg_catalog.pg_publication_tables t where t.pubname = p.pubname and t.schemaname = n.nspname and t.tablename = c.relname)`;

export async function readPublished(
  server: Server,
  publication: string,
  refs: readonly StreamRef[],
  signal: AbortSignal,
): Promise<Published> {
  const names = refs.map((ref) => ({ ref, name: parseStreamName(ref.name, server.options.schema) }));
  const rows = await withReading(server, signal, (session) =>
    session.query(ENTRIES, [publication, JSON.stringify(names.map(({ name }) => name))]),
  );
  const found = new Map(rows.map(([schema, table, oid]) => [JSON.stringify([schema, table]), oid]));
  const published: Record<string, string> = {};
  for (const { ref, name } of names) {
    const oid = found.get(JSON.stringify([name?.schema, name?.name]));
    if (typeof oid === 'string') published[ref.name] = oid;
  }
  return published;
}

/** @throws {TrueupError} `E_POSITION_LOST` when a stream is not what it was when the position was taken */
export function refuseOtherTables(before: Published, now: Published, refs: readonly StreamRef[]): void {
  for (const { name } of refs) {
    const was = before[name];
    if (was === undefined || was === now[name]) continue;
    const why = now[name] === undefined ? 'is not published any more' : 'was published anew, or is another table than before';
    throw new TrueupError(
      'E_POSITION_LOST',
      `The log cannot be read on without a gap: '${name}' ${why}, and what happened to it meanwhile was not told.`,
    );
  }
}
