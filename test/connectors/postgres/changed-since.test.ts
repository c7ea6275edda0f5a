import { expect, it, onTestFinished } from 'vitest';
import { decodedCell } from '../../../src/sdk.ts';
import type { Source, StreamRef } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { NEVER, openSource, streamRef } from './source-kit.ts';

const HOUR = 3_600_000;

async function openTable(type: string): Promise<Source> {
  const database = await createDatabase('since');
  // One row an hour, from two days ago to two hours ahead; one without a stamp.
  await database.query(`
    create table public.events (id int primary key, at ${type});
    insert into public.events select n, (now() at time zone 'UTC' - n * interval '1 hour')::timestamp ${type === 'timestamptz' ? `at time zone 'UTC'` : ''} from generate_series(-2, 48) n;
    insert into public.events values (100, null)`);
  const source = openSource(database.url);
  onTestFinished(async () => {
    await source.close();
    await database.drop();
  });
  return source;
}

async function idsSince(source: Source, sinceMs: number, more: Partial<StreamRef> = {}): Promise<number[]> {
  const ids: number[] = [];
  const ref = streamRef('public.events', { changes: { by: 'cursor', field: 'at' }, ...more });
  for await (const { records } of source.changedSince?.(ref, sinceMs, NEVER) ?? [])
    for (const row of records.rows()) ids.push(decodedCell(records, row, 0) as number);
  return ids.toSorted((a, b) => a - b);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describeWithPostgres('connectors: postgres: rows that changed since a time', () => {
  it('are those whose cursor column is at or after it', async () => {
    expect(await idsSince(await openTable('timestamptz'), Date.now() - 5.5 * HOUR)).toEqual(range(-2, 5));
  });

  it('reach further back, never less far, where nobody knows in which zone a timestamp was written', async () => {
    expect(await idsSince(await openTable('timestamp'), Date.now() - 5.5 * HOUR)).toEqual(range(-2, 18));
    const ids = await idsSince(await openTable('date'), Date.now() - 5.5 * HOUR);
    expect(ids.slice(0, 21)).toEqual(range(-2, 18));
    expect(ids.length).toBeLessThanOrEqual(21 + 24);
  });

  it('are refused of streams whose changes have no time', async () => {
    const source = await openTable('timestamptz');
    await expect(idsSince(source, 0, { changes: { by: 'sequence', field: 'id' } })).rejects.toMatchObject({
      code: 'E_COMPARE_UNSUPPORTED',
    });
    await expect(idsSince(source, 0, { changes: { by: 'xmin' } })).rejects.toMatchObject({ code: 'E_COMPARE_UNSUPPORTED' });
  });
});
