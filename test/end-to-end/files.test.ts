import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { randomKills } from './random-kills.ts';
import { expectEqualTables, openScenario, ranOf, seedOrders, tableContent } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const FILES = `  files: { connector: file, path: ., streams: { orders: { files: "orders-*.csv", key: [id], fields: { placed: date } } } }\n`;

const LOAD = `
  load:
    source: files
    target: copy
    streams: [{ from: orders, to: public.orders }]
`;

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)
    .map((id) => `${id},"customer ""${id % 10}""",${id}.50,,2026-01-0${1 + (id % 9)}\n`)
    .join('');

async function totals(scenario: Scenario): Promise<unknown> {
  const [row] = await scenario.target.query(
    'select count(*)::int as count, count(distinct id)::int as ids, sum(total)::text as total, count(note)::int as notes from public.orders',
  );
  return row;
}

describeWithPostgres('files', () => {
  it('go from CSV into Postgres through ten kills while lines and files are added, and are verified', { timeout: 240_000 }, async () => {
    const scenario = await openScenario();
    const file = join(scenario.dir, 'orders-1.csv');
    await writeFile(file, `id,customer,total,note,placed\n${lines(1, 20_000)}`);
    await scenario.write(
      'trueup.yaml',
      `defaults: { batch: { rows: 400 } }\nconnections:\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n${FILES}jobs:${LOAD}`,
    );
    const kills = randomKills();
    for (let kill = 0; kill < 10; kill += 1) {
      await appendFile(file, lines(20_001 + kill * 100, 20_100 + kill * 100));
      const run = scenario.start(['run', '--json', '--log-level', 'error']);
      await kills.kill(run);
    }
    expect(kills.fell).toBeGreaterThan(2);
    await writeFile(join(scenario.dir, 'orders-2.csv'), `total,id,customer,note,placed\n5.25,30000,x,y,2026-02-02\n`);
    const last = await scenario.run();
    expect(last.code).toBe(0);
    expect(last.report.jobs[0]?.guarantee).toMatchObject({ delivery: 'exactly-once-effect', lateCommits: 'delivered', deletes: 'never' });
    const sum = (21_000 * 21_001) / 2 + 10_500 + 5.25;
    expect(await totals(scenario)).toEqual({ count: 21_001, ids: 21_001, total: sum.toFixed(2), notes: 1 });
    expect((await scenario.run()).stream('orders')).toMatchObject({ read: 0, upserted: 0 });
    const verified = await scenario.trueup('verify', 'load', '--json');
    expect({ code: verified.code, ...(verified.code === 0 ? {} : { out: verified.stdout + verified.stderr }) }).toEqual({ code: 0 });
    await scenario.target.query(
      `update public.orders set total = total + 1 where id = 17; delete from public.orders where id = 18; insert into public.orders (id, customer, total) select 999999, customer, total from public.orders where id = 19`,
    );
    const damaged = await scenario.trueup('verify', 'load', '--repair', '--json');
    expect({ code: damaged.code, out: JSON.parse(damaged.stdout) }).toMatchObject({ code: 0, out: { streams: [{ repaired: 3 }] } });
    expect(await totals(scenario)).toEqual({ count: 21_001, ids: 21_001, total: sum.toFixed(2), notes: 1 });
  });

  it('take the types of columns that are there, and set what does not fit aside with its line', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await scenario.target.query('create table public.things (id bigint primary key, at timestamptz, total numeric(8,2), label text)');
    await scenario.write(
      'things.csv',
      'id,at,total,label\n1,2026-01-01T10:00:00Z,1.5,007\n2,2026-01-02T10:00:00.123456+02:00,2,x\n3,yesterday,3,y\n4,,4.123,z\n5,,5,"broken\n',
    );
    await scenario.write(
      'trueup.yaml',
      `connections:\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n  files: { connector: file, path: ., closed: true }\njobs:\n  load: { source: files, target: copy, streams: [{ from: things.csv, to: public.things, key: [id] }] }\n`,
    );
    const run = await scenario.run();
    expect({ code: run.code, stream: run.stream('things.csv') }).toMatchObject({
      code: 3,
      stream: { read: 5, upserted: 2, deadLettered: 3 },
    });
    const letters = JSON.parse((await scenario.trueup('dead-letters', 'list', '--json')).stdout) as {
      letters: { key: string; message: string }[];
    };
    expect(letters.letters.map(({ key }) => key).sort()).toEqual(['3', '4', 'position:things.csv:6:6']);
    expect(await tableContent(scenario.target, 'public.things')).toEqual([
      expect.stringContaining('1.50,007'),
      expect.stringContaining('2.00,x'),
    ]);
  });

  it(
    'that are replaced as a whole are loaded by snapshot, deletes included; by their lines the run stops',
    { timeout: 60_000 },
    async () => {
      const scenario = await openScenario();
      const config = (by: string) =>
        scenario.write(
          'trueup.yaml',
          `connections:\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n  files: { connector: file, path: . }\njobs:\n  ${by}: { source: files, target: copy, streams: [{ from: a.csv, to: public.${by}, key: [id], changes: { by: ${by} } }] }\n`,
        );
      for (const by of ['snapshot', 'log']) {
        await scenario.write('a.csv', `id,x\n${Array.from({ length: 100 }, (_, id) => `${id},v${id}\n`).join('')}`);
        await config(by);
        expect((await scenario.run()).code).toBe(0);
        await scenario.write(
          'a.csv',
          `id,x\n${Array.from({ length: 98 }, (_, id) => `${id + 1},${id === 7 ? 'new' : `v${id + 1}`}\n`).join('')}`,
        );
        const run = await scenario.run();
        if (by === 'log') {
          expect({ code: run.code, stream: run.stream('a.csv') }).toMatchObject({
            code: 5,
            stream: { error: { code: 'E_POSITION_LOST' } },
          });
          continue;
        }
        expect(run.stream('a.csv')).toMatchObject({ upserted: 1, deleted: 2 });
        expect((await tableContent(scenario.target, 'public.snapshot', 'id')).slice(6, 9)).toEqual(['(7,v7)', '(8,new)', '(9,v9)']);
      }
    },
  );

  it('are copied without a config', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await scenario.write('in.csv', 'id,x\n1,a\n2,b');
    const copied = ranOf(await scenario.trueup('copy', './in.csv', scenario.target.url, '--key', 'id', '--json'));
    expect(copied.stream('in.csv')).toMatchObject({ upserted: 2, target: 'in' });
    expect(await tableContent(scenario.target, 'public."in"')).toEqual(['(1,a)', '(2,b)']);
  });

  it('come from stdin, again with what was added, and with a format that only the config says', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await scenario.write(
      'trueup.yaml',
      `connections:\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n  pipe: { connector: file, path: "-", format: csv }\njobs:\n  load: { source: pipe, target: copy, streams: [{ from: "-", to: public.piped, key: [id] }] }\n`,
    );
    const csv = 'id,x\n1,a\n2,b';
    expect(ranOf(await scenario.pipe(csv, 'run', '--json')).stream('-')).toMatchObject({ read: 2, upserted: 2 });
    expect(ranOf(await scenario.pipe(`${csv}\n3,c\n`, 'run', '--json')).stream('-')).toMatchObject({ read: 3, upserted: 1, unchanged: 2 });
    // Shorter than what came before, and none of it is passed over.
    expect(ranOf(await scenario.pipe('id,x\n4,d\n', 'run', '--json')).stream('-')).toMatchObject({ read: 1, upserted: 1 });
    expect(await tableContent(scenario.target, 'public.piped')).toEqual(['(1,a)', '(2,b)', '(3,c)', '(4,d)']);
    const copied = ranOf(await scenario.pipe('{"id":1,"x":"a"}\n{"id":2}\n', 'copy', '-', scenario.target.url, '--key', 'id', '--json'));
    expect({ code: copied.code, stream: copied.stream('-') }).toMatchObject({ code: 0, stream: { read: 2, upserted: 2 } });
  });

  it('come from stdin and go to stdout as the CSV that a flag says they are', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    const csv = 'id,x\n1,"a, b"\n2,\n';
    const flags = ['--format', 'csv', '--key', 'id'];
    const copied = ranOf(await scenario.pipe(csv, 'copy', '-', scenario.target.url, ...flags, '--json'));
    expect({ code: copied.code, stream: copied.stream('-') }).toMatchObject({ code: 0, stream: { read: 2, upserted: 2, deadLettered: 0 } });
    const back = await scenario.trueup('copy', scenario.target.url, '-', '--stream', 'public.stdin', '--format', 'csv');
    expect({ code: back.code, stdout: back.stdout }).toEqual({ code: 0, stdout: csv });
    const refused = await scenario.trueup('copy', './in.csv', scenario.target.url, ...flags);
    expect({ code: refused.code, says: refused.stderr.includes('--format is of stdin and stdout') }).toEqual({ code: 2, says: true });
  });

  it('are written from Postgres, each row exactly once through twenty kills, and read back', { timeout: 240_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 20_000);
    await scenario.write(
      'trueup.yaml',
      `defaults: { batch: { rows: 200 } }
connections:
  shop: { connector: postgres, url: "\${SHOP_URL}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
  out: { connector: file, path: ./out, op: op, streams: { orders.jsonl: { fields: { placed_at: timestamp, updated_at: timestamptz, tags: "list<text>" } } } }
jobs:
  export:
    source: shop
    target: out
    streams: [{ from: public.orders, to: orders, changes: { by: cursor, field: updated_at }, backfill: { partitions: 3 } }]
`,
    );
    const kills = randomKills();
    for (let kill = 0; kill < 20; kill += 1) {
      const run = scenario.start(['run', '--json', '--log-level', 'error']);
      await kills.kill(run);
    }
    expect(kills.fell).toBeGreaterThan(3);
    const last = await scenario.run();
    expect({ code: last.code, stderr: last.stderr }).toEqual({ code: 0, stderr: '' });
    expect(last.report.jobs[0]?.guarantee).toMatchObject({
      delivery: 'exactly-once-effect',
      staleWrites: 'refused',
      assumes: expect.arrayContaining([expect.stringContaining('last line of each key')]),
    });
    const written = (await readFile(join(scenario.dir, 'out', 'orders.jsonl'), 'utf8')).split('\n');
    expect(written.pop()).toBe('');
    const ids = written.map((line) => (JSON.parse(line) as { id: number }).id).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 1));
    await scenario.write(
      'back.yaml',
      `connections:
  copy: { connector: postgres, url: "\${COPY_URL}" }
  out: { connector: file, path: ./out, op: op, streams: { orders.jsonl: { key: [id] } } }
jobs:
  back: { source: out, target: copy, streams: [{ from: orders.jsonl, to: public.orders }] }
`,
    );
    await scenario.target.query(
      'create table public.orders (id bigint primary key, customer text not null, total numeric(12,2) not null, note text, status text not null, tags text[], details jsonb, placed_at timestamp, updated_at timestamptz not null)',
    );
    const back = ranOf(await scenario.trueup('run', '--json', '--config', 'back.yaml'));
    expect(back.stream('orders.jsonl')).toMatchObject({ upserted: 20_000, deadLettered: 0 });
    await expectEqualTables(scenario, 'public.orders');
  });

  it('go to stdout, and what is said about them does not', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await scenario.source.query("create table public.t (id bigint primary key, x text); insert into public.t values (1, 'a'), (2, null)");
    const copied = await scenario.trueup('copy', scenario.source.url, '-', '--stream', 'public.t');
    expect({ code: copied.code, stdout: copied.stdout }).toEqual({ code: 0, stdout: '{"id":1,"x":"a"}\n{"id":2,"x":null}\n' });
    expect(copied.stderr).toContain('public.t');
    await scenario.write(
      'trueup.yaml',
      `connections:\n  shop: { connector: postgres, url: "\${SHOP_URL}" }\n  out: { connector: file, path: "-" }\njobs:\n  show: { source: shop, target: out, streams: [{ from: public.t }] }\n`,
    );
    for (const flags of [[], ['--json']]) {
      const run = await scenario.trueup('run', ...flags, '--full');
      const written = new Set(run.stdout.trimEnd().split('\n'));
      expect({ code: run.code, written }).toEqual({ code: 0, written: new Set(copied.stdout.trimEnd().split('\n')) });
      expect(run.stderr).toContain('public.t');
    }
  });

  describeWithMongo('with MongoDB', () => {
    it('go from compressed JSON lines into MongoDB, and are verified', { timeout: 60_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('e2e');
      const docs = Array.from({ length: 3000 }, (_, id) =>
        JSON.stringify({ id, name: `n ${id}`, doc: { deep: [id, null] }, at: '2026-01-01T00:00:00.123Z' }),
      );
      await writeFile(join(scenario.dir, 'things.jsonl.gz'), gzipSync(`${docs.join('\n')}\n`));
      await scenario.write(
        'trueup.yaml',
        `connections:\n  archive: { connector: mongodb, url: "${mongo.url}" }\n  files: { connector: file, path: ., streams: { things.jsonl.gz: { key: [id], fields: { at: timestamptz } } } }\njobs:\n  load: { source: files, target: archive, streams: [{ from: things.jsonl.gz }] }\n`,
      );
      const run = await scenario.run();
      expect(run.stream('things.jsonl.gz')).toMatchObject({ upserted: 3000, target: 'things' });
      expect(await mongo.db.collection('things').countDocuments({ at: new Date('2026-01-01T00:00:00.123Z') })).toBe(3000);
      const verified = await scenario.trueup('verify', 'load', '--json');
      expect({ code: verified.code, ...(verified.code === 0 ? {} : { out: verified.stdout + verified.stderr }) }).toEqual({ code: 0 });
    });
  });
});
