import { expect, it } from 'vitest';
import type { TestDatabase } from '../../servers/postgres.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { startTcpProxy } from '../../servers/tcp-proxy.ts';
import { fetchRequest, openSource, rowsOf, streamRef } from './source-kit.ts';

/** The last statement of the reader: it has the columns, and asks for the indexes next. */
async function hasReadColumns(database: TestDatabase): Promise<boolean> {
  const [row] = await database.query<{ there: boolean }>(
    `select exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_catalog.pg_index i%') as there`,
  );
  return row?.there === true;
}

describeWithPostgres('postgres source: a column that is added while the source looks at the table for the first time', () => {
  it('is delivered with the rows that have it', async () => {
    const database = await createDatabase('race');
    await database.query(
      `create table t (id int primary key, updated_at timestamptz not null); create index on t (updated_at, id); insert into t values (1, now())`,
    );
    await using proxy = await startTcpProxy(database.url);
    proxy.delay(40);
    const source = openSource(proxy.url(database.url));
    const ref = streamRef('public.t');
    const rows: Record<string, unknown>[] = [];
    const reading = (async () => {
      for await (const batch of source.fetchChanges(fetchRequest(source, ref))) rows.push(...rowsOf([batch]));
    })();
    await expect.poll(() => hasReadColumns(database), { interval: 2, timeout: 10_000 }).toBe(true);
    await database.query(`alter table t add column added text; insert into t values (2, now(), 'a value')`);
    await reading;
    await source.close();
    expect(rows.find((row) => row['id'] === 2)).toMatchObject({ added: 'a value' });
  });
});
