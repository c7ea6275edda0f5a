import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';

const CHILD = fileURLToPath(new URL('source-memory-child.ts', import.meta.url));
const CAP_MIB = 256;

async function peak(url: string, stream: string): Promise<{ rows: number; rejected: number; peakMiB: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--max-semi-space-size=8', CHILD, url, stream]);
  return JSON.parse(stdout) as { rows: number; rejected: number; peakMiB: number };
}

describeWithPostgres('connectors: postgres, memory', () => {
  it('reads values of 5 MB, and rows too large to carry, in little memory', async () => {
    const database = await createDatabase('heavy');
    await database.query(
      `create table t (id int primary key, v text, updated_at timestamptz not null default now()); alter table t alter v set storage external`,
    );
    await database.query(
      `insert into t select i, repeat('0123456789', case when i % 20 = 0 then 4000000 else 500000 end) from generate_series(1, 60) i`,
    );
    const read = await peak(database.url, 'public.t');
    expect(read).toMatchObject({ rows: 57, rejected: 3 });
    expect(read.peakMiB).toBeLessThan(CAP_MIB);
  }, 60_000);

  it('reads rows of 200 columns in little memory', async () => {
    const database = await createDatabase('wide');
    const columns = Array.from({ length: 200 }, (_, index) => `c${index} text default 'value ${index}'`).join(', ');
    await database.query(
      `create table t (id int primary key, updated_at timestamptz not null default now(), ${columns}); insert into t (id) select generate_series(1, 20000)`,
    );
    const read = await peak(database.url, 'public.t');
    expect(read).toMatchObject({ rows: 20_000, rejected: 0 });
    expect(read.peakMiB).toBeLessThan(CAP_MIB);
  }, 60_000);
});
