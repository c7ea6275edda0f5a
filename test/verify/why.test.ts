import { expect, it } from 'vitest';
import type { WhyReport } from '../../src/verify/why-report.ts';
import { ORDERS_JOB } from '../end-to-end/scenario.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openShop } from './why-shop.ts';

const fieldOf = (report: WhyReport, name: string) => report.fields.find((field) => field.field === name);

describeWithPostgres('why: one record on real servers', () => {
  it('a record that both sides hold is equal, and the run, epoch and position that wrote it are named', async () => {
    const shop = await openShop();
    const first = await shop.sync();
    await shop.source.query(`update orders set note = 'changed', updated_at = now() where id = 8`);
    const second = await shop.sync();
    const seven = await shop.why('7');
    expect(seven).toMatchObject({ verdict: 'equal', exitCode: 0, key: '7', target: 'public.orders', source: { id: '7', total: '8.75' } });
    expect(seven.written).toMatchObject({ run: first.run, epoch: first.jobs[0]?.epoch });
    expect((await shop.why('8')).written).toMatchObject({ run: second.run, epoch: second.jobs[0]?.epoch });
    expect(seven.fields.every((field) => field.equal)).toBe(true);
    expect(seven.checkpoint).toMatchObject({ state: 'following' });
  });

  it('a record that was altered in the target by hand is different, field by field, and nobody of ours wrote it', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.target.query(`update orders set total = 8.76, note = 'note 7 ' where id = 7`);
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'different', exitCode: 4, actual: { note: 'note 7 ' } });
    expect(report.fields.filter((field) => !field.equal)).toEqual([
      { field: 'total', expected: '8.75', actual: '8.76', equal: false },
      { field: 'note', expected: 'note 7', actual: 'note 7 ', equal: false },
    ]);
    expect(report.written).toBeUndefined();
    expect(report.next).toContain('`trueup verify orders --stream public.orders --repair`');
  });

  it('a record that the target lost is missing', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.target.query('delete from orders where id = 7');
    expect(await shop.why('7')).toMatchObject({ verdict: 'missing', exitCode: 4 });
  });

  it('a record that changed after the checkpoint is pending, and equal after the run that is named', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.source.query(
      `update orders set note = 'later', updated_at = now() where id = 7; insert into orders values (99, 'new', 1, 'n')`,
    );
    for (const key of ['7', '99']) {
      const report = await shop.why(key);
      expect(report).toMatchObject({ verdict: 'pending', exitCode: 0 });
      expect(report.because).toContain('changed in the source after the checkpoint');
      expect(report.next).toContain('`trueup run orders --stream public.orders`');
    }
    await shop.sync({ streams: ['public.orders'] });
    for (const key of ['7', '99']) expect(await shop.why(key)).toMatchObject({ verdict: 'equal', exitCode: 0 });
  });

  it('before the first load everything is pending, and the target need not exist', async () => {
    const shop = await openShop();
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'pending', exitCode: 0, because: 'The stream has not been loaded yet.' });
    expect(report.checkpoint).toBeUndefined();
    expect(report.fields.find((field) => field.field === 'total')).toEqual({ field: 'total', expected: '8.75', equal: false });
  });

  it('while the first load is not finished, what it has not written yet is pending', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.target.query(`delete from orders where id > 10; update trueup.checkpoints set state = 'held'`);
    const report = await shop.why('15');
    expect(report).toMatchObject({ verdict: 'pending', exitCode: 0, checkpoint: { state: 'loading' } });
    expect(report.because).toContain('first load is not finished');
  });

  it('a record that is deleted in the source stays in the target, where nothing delivers deletes', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.source.query('delete from orders where id = 7');
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'deleted', exitCode: 4, actual: { id: '7' } });
    expect(report.source).toBeUndefined();
    expect(report.next).toContain('never delivers deletes');
    expect(await shop.why('12345')).toMatchObject({ verdict: 'not-in-source', exitCode: 0, fields: [] });
  });

  it('a soft delete is pending until it is delivered, and left out after that', async () => {
    const shop = await openShop(`${ORDERS_JOB}        deletes: { when: "note == 'gone'" }\n`);
    await shop.sync();
    await shop.source.query(`update orders set note = 'gone', updated_at = now() where id = 7`);
    const before = await shop.why('7');
    expect(before).toMatchObject({ verdict: 'pending', exitCode: 0, leftOutBy: { label: 'deletes.when', expression: "note == 'gone'" } });
    expect(before.next).toContain('deletes it in the target');
    await shop.sync();
    expect(await shop.why('7')).toMatchObject({ verdict: 'filtered', exitCode: 0 });
    await shop.source.query('delete from orders where id = 8');
    expect((await shop.why('8')).next).toContain('gone altogether');
  });

  it('a record that does not pass a filter is left out by the one that it fails', async () => {
    const shop = await openShop(`${ORDERS_JOB}        where: "total < 20"\n        mapping: orders.yaml\n`);
    await shop.write('orders.yaml', `where: "customer != 'customer 3'"\n`);
    await shop.sync();
    expect(await shop.why('7')).toMatchObject({ verdict: 'equal' });
    expect(await shop.why('3')).toMatchObject({ verdict: 'filtered', exitCode: 0, leftOutBy: { expression: "customer != 'customer 3'" } });
    expect(await shop.why('19')).toMatchObject({ verdict: 'filtered', exitCode: 0, leftOutBy: { expression: 'total < 20' } });
    await shop.source.query(`update orders set total = 30, updated_at = now() where id = 7`);
    expect(await shop.why('7')).toMatchObject({ verdict: 'pending', leftOutBy: { expression: 'total < 20' } });
    await shop.target.query(`insert into orders select 19, 'by hand', 1, 'x', now()`);
    expect(await shop.why('19')).toMatchObject({ verdict: 'extra', exitCode: 4 });
  });

  it('a dead letter says why, how often and in which run, and is gone once its record is mended', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.target.query(`alter table orders add constraint cheap check (total < 1000)`);
    await shop.source.query(`update orders set total = 5000, updated_at = now() where id = 7`);
    const failed = await shop.sync();
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'dead-letter', exitCode: 4 });
    expect(report.letter).toMatchObject({ code: 'E_RECORD_VALUE', run: failed.run, attempts: 1 });
    expect(fieldOf(report, 'total')).toEqual({ field: 'total', expected: '5000.00', actual: '8.75', equal: false });
    expect(report.next).toContain('`trueup dead-letters replay orders --stream public.orders 7`');
    await shop.source.query(`update orders set total = 5, updated_at = now() where id = 7`);
    await shop.sync();
    expect(await shop.why('7')).toMatchObject({ verdict: 'equal' });
  });

  it('a record that cannot be carried says so before any run tries', async () => {
    const shop = await openShop(`${ORDERS_JOB}        mapping: orders.yaml\n`);
    await shop.write('orders.yaml', `fields:\n  id: id\n  total: { from: total, type: int32 }\n`);
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'pending', exitCode: 4, fault: { code: 'E_RECORD_LOSS' } });
    expect(report.next).toContain('makes it a dead letter');
  });

  it('a change that is not committed is not seen, and whoever holds it is named by pid', async () => {
    const shop = await openShop();
    await shop.sync();
    const writer = await shop.source.connect({ application_name: 'slow writer' });
    const { rows } = await writer.query<{ pid: number }>('select pg_backend_pid() as pid');
    await writer.query(`begin; update orders set note = 'late', updated_at = now() where id = 7`);
    await expect.poll(async () => (await shop.why('7')).heldBack?.by, { timeout: 10_000 }).toContain(`pid ${rows[0]?.pid}`);
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'equal', exitCode: 0 });
    expect(report.next).toContain('slow writer');
    await writer.query('commit');
    expect(await shop.why('7')).toMatchObject({ verdict: 'pending' });
    expect((await shop.why('7')).heldBack).toBeUndefined();
  });

  it('a run that follows holds deliveries back while a transaction is open, and the record says so', { timeout: 60_000 }, async () => {
    const shop = await openShop();
    await shop.sync();
    await using run = shop.start(['run', '--follow', '--json']);
    await expect
      .poll(async () => (await shop.target.query('select from trueup.leases where expires_at is not null')).length, { timeout: 30_000 })
      .toBe(1);
    const writer = await shop.source.connect();
    const { rows } = await writer.query<{ pid: number }>('select pg_backend_pid() as pid');
    await writer.query(`begin; insert into orders values (98, 'open', 1, 'x')`);
    // The fences that the run took before this transaction began have to pass first.
    await expect
      .poll(
        async () => {
          await shop.source.query(`insert into orders select coalesce(max(id), 0) + 1000, 'next', 1, 'x', clock_timestamp() from orders`);
          const [row] = await shop.source.query<{ id: string }>('select max(id)::text as id from orders');
          return (await shop.why(row?.id ?? '')).verdict;
        },
        { timeout: 30_000, interval: 500 },
      )
      .toBe('held-back');
    const [row] = await shop.source.query<{ id: string }>('select max(id)::text as id from orders');
    expect((await shop.why(row?.id ?? '')).because).toContain(`pid ${rows[0]?.pid}`);
    await writer.query('commit');
    await expect.poll(async () => (await shop.why(row?.id ?? '')).verdict, { timeout: 30_000 }).toBe('equal');
    run.kill('SIGTERM');
    await run.waitForExit();
  });

  it('knows when deletes are found by comparing', async () => {
    const shop = await openShop(`${ORDERS_JOB}        deletes: { compare: { schedule: "0 3 * * *", maxShare: 0.5 } }\n`);
    await shop.sync();
    await shop.source.query('delete from orders where id = 7');
    const scheduled = await shop.why('7');
    expect(scheduled).toMatchObject({ verdict: 'deleted', exitCode: 4 });
    expect(scheduled.next).toMatch(/compared by the first run from \S+T03:00:00.000Z on \(last at/);
    await shop.jobs(`${ORDERS_JOB}        deletes: { compare: { maxShare: 0.5 } }\n`);
    expect((await shop.why('7')).next).toContain('The next run compares the keys');
    await shop.sync();
    expect(await shop.why('7')).toMatchObject({ verdict: 'not-in-source', exitCode: 0 });
  });

  it('knows that a stream by snapshot is compared as a whole', async () => {
    const shop = await openShop(
      `\n  orders:\n    source: shop\n    target: copy\n    streams:\n      - { from: public.orders, changes: { by: snapshot } }\n`,
    );
    await shop.sync();
    await shop.source.query(`update orders set note = 'changed' where id = 7; delete from orders where id = 8`);
    for (const [key, verdict] of [
      ['7', 'different'],
      ['8', 'deleted'],
    ] as const) {
      const report = await shop.why(key);
      expect(report).toMatchObject({ verdict, exitCode: 4 });
      expect(report.next).toContain('The next run compares both sides');
    }
    await shop.sync();
    expect(await shop.why('7')).toMatchObject({ verdict: 'equal' });
    expect(await shop.why('8')).toMatchObject({ verdict: 'not-in-source' });
  });

  it('explains a record that is too large to travel', async () => {
    const shop = await openShop(ORDERS_JOB);
    await shop.jobs(ORDERS_JOB, 'defaults: { maxRecordBytes: 64KiB }\n');
    await shop.source.query(`update orders set note = repeat('x', 100000), updated_at = now() where id = 7`);
    await shop.sync();
    const report = await shop.why('7');
    expect(report).toMatchObject({
      verdict: 'dead-letter',
      exitCode: 4,
      fault: { code: 'E_RECORD_TOO_LARGE' },
      letter: { code: 'E_RECORD_TOO_LARGE' },
    });
  });

  it('says what the next run stops at', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.jobs(`${ORDERS_JOB}        mapping: orders.yaml\n`);
    await shop.write(
      'orders.yaml',
      `fields:\n  id: id\n  customer: { expr: "customer + '!'", type: text }\n  total: total\n  note: note\n  updated_at: updated_at\n`,
    );
    const changed = await shop.why('7');
    expect(changed).toMatchObject({ verdict: 'different', exitCode: 4, obstacle: { code: 'E_PLAN_HASH' } });
    expect(changed.next).toContain('--on-change rebackfill');
    await shop.jobs(ORDERS_JOB);
    await shop.target.query('drop table orders');
    const lost = await shop.why('7');
    expect(lost).toMatchObject({ verdict: 'missing', exitCode: 4, obstacle: { code: 'E_TARGET_LOST' } });
    expect(lost.next).toContain('`trueup run orders --stream public.orders --full`');
  });

  it('knows a field that the target does not have yet', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.source.query('alter table orders add column extra text; alter table orders alter extra set default null');
    await shop.source.query(`update orders set extra = 'e', updated_at = now() where id = 7`);
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'pending', exitCode: 0 });
    expect(fieldOf(report, 'extra')).toMatchObject({ expected: 'e', equal: false });
  });

  it('knows the guard that refuses an older record', async () => {
    const shop = await openShop(`${ORDERS_JOB}        guard: updated_at\n`);
    await shop.sync();
    await shop.target.query(`update orders set note = 'newer', updated_at = '2030-01-01Z' where id = 7`);
    const report = await shop.why('7');
    expect(report).toMatchObject({ verdict: 'different', exitCode: 4 });
    expect(report.next).toContain("'guard: updated_at'");
  });
});
