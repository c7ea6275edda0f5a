import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWithPostgres, startOwnPostgres } from './postgres.ts';
import { withClient } from './postgres-admin.ts';
import { mountSmallDisk } from './small-disk.ts';

describeWithPostgres('test/servers: small disk', () => {
  it('fills a server, which goes on once there is room again', async (context) => {
    using disk = mountSmallDisk(150);
    if (disk === null) return context.skip('mounting is not allowed here');
    await using server = await startOwnPostgres({ dataDir: join(disk.path, 'data'), settings: { max_wal_size: '32MB' } });
    await withClient(server.url, async (client) => {
      await client.query('create unlogged table filler (text text)');
      const insert = `insert into filler select repeat(md5(n::text), 60) from generate_series(1, 10000) n`;
      disk.fill();
      await expect(client.query(insert)).rejects.toMatchObject({ code: '53100' });
      disk.free();
      expect(await client.query(insert)).toMatchObject({ rowCount: 10_000 });
    });
  });
});
