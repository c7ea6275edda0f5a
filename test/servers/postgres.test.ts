import { expect, it } from 'vitest';
import { createDatabase, createRole, describeWithPostgres, serverUrl, startOwnPostgres } from './postgres.ts';
import { withClient } from './postgres-admin.ts';

describeWithPostgres('test/servers: postgres', () => {
  it('runs on the Node.js that the checkout pins', () => {
    expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(24);
  });

  it('gives every caller a database of its own', async () => {
    const [a, b] = await Promise.all([createDatabase('a'), createDatabase('b')]);
    await a.query('create table only_here (id int)');
    expect(await b.query(`select to_regclass('only_here') as found`)).toEqual([{ found: null }]);
    expect(await a.query('select $1::int + 1 as sum', [41])).toEqual([{ sum: 42 }]);
  });

  it('drops a database that is still in use: a session, a slot, a prepared transaction', async () => {
    const database = await createDatabase('busy');
    await withClient(database.url, async (client) => {
      client.on('error', () => {});
      await client.query('create table t (id int)');
      await client.query(`select pg_create_logical_replication_slot('slot_of_${database.name}', 'pgoutput')`);
      await client.query('begin');
      await client.query('insert into t values (1)');
      await client.query(`prepare transaction '${database.name}'`);
      await database.drop();
    }).catch(() => {}); // Its own session is terminated as well.
    const left = await withClient(serverUrl(), (admin) => admin.query('select 1 from pg_database where datname = $1', [database.name]));
    expect(left.rows).toEqual([]);
    await database.drop();
  });

  it('gives roles that own nothing and whose password is checked', async () => {
    const database = await createDatabase();
    const role = await createRole();
    await database.query('create table secret (id int)');
    const client = await database.connect({ connectionString: role.url(database.url) });
    await expect(client.query('table secret')).rejects.toMatchObject({ code: '42501' });
    const wrong = new URL(role.url(database.url));
    wrong.password = 'wrong';
    await expect(database.connect({ connectionString: wrong.href })).rejects.toMatchObject({ code: '28P01' });
  });

  it('starts a server of its own, whose data survive a kill', async () => {
    const server = await startOwnPostgres();
    await withClient(server.url, (client) => client.query('create table kept as select 1 as id'));
    const before = server.pid;
    await server.kill();
    await expect(withClient(server.url, (client) => client.query('select 1'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    expect(server.pid).not.toBe(before);
    expect((await withClient(server.url, (client) => client.query('table kept'))).rows).toEqual([{ id: 1 }]);
  });
});
