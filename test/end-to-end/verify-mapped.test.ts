import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { watchWrites, writtenIds } from './plants.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const MAPPING = `where: "status != 'draft'"
fields:
  id: id
  amount: { from: cents, shift: -2 }
  state: { from: status, lookup: { new: fresh, paid: done } }
  label: { expr: "name + ' #' + string(id)", type: text }
  email: { from: email, mask: sha256 }
  local_at: { from: at, zone: Europe/Berlin }
  renamed: name
  at: at
`;

/** A key that only the mapping can make, so that nothing leads from the target's key back to the source's. */
const TURNED_KEY = MAPPING.replace('id: id', 'id: { expr: "id + 1000000", type: int64 }');

async function openMapped(mapping: string, options = ''): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source.query(`
    create table public.orders (id bigint primary key, cents bigint, status text, name text, email text, at timestamptz not null default now());
    insert into public.orders select n, n * 7, (array['new', 'paid', 'draft'])[1 + n % 3], 'name ' || n, n || '@example.org', timestamptz '2026-01-01Z' + n * interval '1 second'
      from generate_series(1, 3000) as n`);
  await scenario.write('orders.yaml', mapping);
  await scenario.jobs(
    `\n  orders:\n    source: shop\n    target: copy\n    streams:\n      - { from: public.orders, to: public.copied, mapping: orders.yaml, changes: { by: cursor, field: at }${options} }\n`,
  );
  return scenario;
}

describeWithPostgres('verify of a mapped stream', () => {
  it('compares what the mapping makes of every record, and repairs it through the mapping', { timeout: 180_000 }, async () => {
    const scenario = await openMapped(MAPPING);
    const { source, target } = scenario;
    expect((await scenario.run()).code).toBe(0);
    expect((await verify(scenario, 'orders')).stream()).toMatchObject({
      by: 'records',
      compared: { source: 2000, target: 2000 },
      explained: { filtered: 1000 },
    });

    // 3000 is new, 2999 is a draft, 2998 is paid.
    await target.query(`
      update public.copied set amount = amount + 0.01 where id = 1;
      update public.copied set state = 'fresh' where id = 4;
      update public.copied set label = label || ' ' where id = 6;
      update public.copied set email = left(email, -1) || 'x' where id = 7;
      update public.copied set local_at = local_at + interval '1 microsecond' where id = 9;
      delete from public.copied where id = 3000;
      insert into public.copied select 2999, amount, state, label, email, local_at, renamed, at from public.copied where id = 1`);
    await source.query('delete from public.orders where id = 2998');
    const found = await verify(scenario, 'orders');
    expect(found.stream()).toMatchObject({ missing: 1, extra: 2, different: 5, explained: { filtered: 999, pending: 0 } });
    const fields = found
      .stream()
      .samples.map(({ key, kind, fields: of }) => `${kind} ${key} ${of.map(({ field }) => field).join()}`.trimEnd());
    expect(fields.toSorted()).toEqual(
      [
        'missing 3000',
        'extra 2998',
        'extra 2999',
        'different 1 amount',
        'different 4 state',
        'different 6 label',
        'different 7 email',
        'different 9 local_at',
      ].toSorted(),
    );

    await watchWrites(target, 'public.copied');
    expect(await verify(scenario, 'orders', '--repair')).toMatchObject({ code: 0 });
    expect(await writtenIds(target)).toEqual([1, 4, 6, 7, 9, 2998, 2999, 3000]);
    expect((await verify(scenario, 'orders')).code).toBe(0);
  });

  it('finds and deletes what only the target has when no key leads back to the source', { timeout: 180_000 }, async () => {
    const scenario = await openMapped(TURNED_KEY);
    const { source, target } = scenario;
    expect((await scenario.run()).code).toBe(0);
    await source.query('delete from public.orders where id in (10, 12)');
    await target.query(`
      delete from public.copied where id = 1000001;
      insert into public.copied select 1000002, amount, state, label, email, local_at, renamed, at from public.copied where id = 1000003`);
    const found = await verify(scenario, 'orders');
    expect(found.stream()).toMatchObject({ missing: 1, extra: 3, different: 0 });
    expect(
      found
        .stream()
        .samples.map(({ key, kind }) => `${kind} ${key}`)
        .toSorted(),
    ).toEqual(['extra 1000002', 'extra 1000010', 'extra 1000012', 'missing 1']);
    await watchWrites(target, 'public.copied');
    expect((await verify(scenario, 'orders', '--repair')).code).toBe(0);
    expect(await writtenIds(target)).toEqual([1000001, 1000002, 1000010, 1000012]);
  });

  it('tells a dead letter and a record that is kept on purpose apart from differences', { timeout: 180_000 }, async () => {
    const scenario = await openMapped(MAPPING, ', onExit: keep, onDelete: ignore');
    const { source, target } = scenario;
    await source.query(`update public.orders set status = 'odd' where id = 5`);
    expect((await scenario.run()).code).toBe(3);
    await source.query(`update public.orders set status = 'draft', at = now() where id = 6; delete from public.orders where id = 7`);
    await scenario.run();
    expect(await verify(scenario, 'orders')).toMatchObject({
      code: 0,
      report: { streams: [{ missing: 0, extra: 0, different: 0, explained: { deadLettered: 1, kept: 2, pending: 0 } }] },
    });
    // A letter explains its own record only.
    await target.query('delete from public.copied where id = 9');
    expect((await verify(scenario, 'orders')).stream()).toMatchObject({ missing: 1, explained: { deadLettered: 1, kept: 2 } });
  });

  it('shows no false difference while a run follows a writer', { timeout: 300_000 }, async () => {
    const scenario = await openMapped(MAPPING);
    expect((await scenario.run()).code).toBe(0);
    await scenario.target.query('delete from public.copied where id = 1');
    const following = scenario.start(['run', '--follow']);
    const writer = await scenario.source.connect();
    let done = false;
    const writing = (async () => {
      for (let round = 0; !done; round++) {
        await writer.query(
          `update public.orders set cents = cents + 1, status = (array['new', 'paid', 'draft'])[1 + (id + ${round}) % 3], at = now() where id > 100 and id % 40 = ${round % 40}`,
        );
        await writer.query(
          `insert into public.orders select 10000 + ${round} * 5 + n, 1, 'new', 'x', 'y', now() from generate_series(1, 5) n`,
        );
        // Other tests share the server and the machine.
        await sleep(10);
      }
    })();
    try {
      for (let round = 0; round < 3; round++) {
        const { stream } = await verify(scenario, 'orders');
        expect({ missing: stream().missing, extra: stream().extra, different: stream().different }).toEqual({
          missing: 1,
          extra: 0,
          different: 0,
        });
        expect(stream().samples).toEqual([{ key: '1', kind: 'missing', fields: [] }]);
      }
    } finally {
      done = true;
      await writing;
      following.kill('SIGTERM');
      await following.waitForExit(30_000);
    }
  });
});
