import type { Cursor, Form, StreamRef } from '../../../src/sdk.ts';
import type { SourceFixture } from '../../../src/testing/index.ts';
import { createDatabase } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { NEVER, openSource, sourceFixture } from './source-kit.ts';
import type { FixtureTable } from './source-kit.ts';

/** Makes publication and slot of the streams, as the first run does, and gives the place where they begin. */
export async function beginLog(url: string, refs: readonly StreamRef[]): Promise<Exclude<Cursor, null>> {
  const source = openSource(url);
  try {
    await source.apply?.(await source.plan(refs, NEVER), NEVER);
    const [feed] = source.feeds(refs);
    if (feed === undefined) throw new Error('streams without a feed');
    const cursor = await source.startCursor(feed, refs, NEVER);
    if (cursor === null) throw new Error('a log without a cursor');
    return cursor;
  } finally {
    await source.close();
  }
}

/** Things by the log, whose slot was made before the first of them. */
export async function logFixture(table: Pick<FixtureTable, 'setup'> & { readonly form?: Form }): Promise<SourceFixture> {
  let database: TestDatabase | null = null;
  const fixture = await sourceFixture({
    ref: { changes: { by: 'log' }, job: 'fixture' },
    setup: table.setup,
    repeats: 'never',
    create: async () => (database = await createDatabase('log')),
  });
  const own = database as TestDatabase | null;
  if (own === null) throw new Error('no database');
  await beginLog(own.url, [fixture.stream]);
  return {
    ...fixture,
    startWaits: true,
    ...(table.form === undefined ? {} : { form: table.form }),
    delete: async (ids) => void (await own.query('delete from things where id = any($1::bigint[])', [ids])),
    truncate: async () => void (await own.query('truncate things')),
  };
}
