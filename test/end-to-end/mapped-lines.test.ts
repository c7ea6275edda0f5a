import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario, tableContent } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** Everything that COPY escapes, beside what it must leave alone; texts longer than what is sent at once, copied and made. */
const BODY = String.raw`case n % 8 when 0 then E'tab\t and \\ backslash' when 1 then E'line\nand\r\nline\b\f\v' when 2 then '\N' when 3 then null when 4 then ''
  when 5 then 'ünïcödé 🚲 ' || n when 6 then repeat('é\', case when n % 400 = 6 then 50000 else n % 60 end) else repeat(E'\t🚲', n % 30) end`;
const MAPPING = `fields:
  cents: { from: price, shift: 2, type: int64 }
  kind: { from: kind, lookup: { a: Anton, b: "B\\tb" }, default: null }
  said: { expr: "body == null ? null : body + '!'", type: text }
  ratio: { expr: "100 / part", type: int64 }
  price: price
  body: body
  part: part
otherFields: keep
`;
/** The same, as the source sees it. */
const EXPECTED = `select (price * 100)::bigint, case kind when 'a' then 'Anton' when 'b' then E'B\\tb' end, body || '!', 100 / part, id, price, body, part, tags, at from public.notes`;
const FOUND = `select cents, kind, said, ratio, id, price, body, part, tags, at from public.notes`;

async function notes(count: number): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source
    .query(`create table public.notes (id bigint primary key, kind text, price numeric(14, 4), body text, part bigint, tags text[], at timestamptz not null);
    create index on public.notes (at, id);
    insert into public.notes select n, (array['a', 'b', 'c', null])[n % 4 + 1], case when n % 11 > 0 then (n % 1000 - 5)::numeric end, ${BODY}, n % 7 + 1, array[body, null], now() - n * interval '1 ms'
      from (select n, ${BODY} as body from generate_series(1, ${count}) n) rows`);
  await scenario.write('notes.yaml', MAPPING);
  await scenario.jobs(
    '\n  notes: { source: shop, target: copy, streams: [{ from: public.notes, changes: { by: cursor, field: at }, mapping: notes.yaml }] }\n',
  );
  return scenario;
}

async function expectMapped({ source, target }: Scenario): Promise<void> {
  expect(await tableContent(target, `(${FOUND})`, 'id')).toEqual(await tableContent(source, `(${EXPECTED})`, 'id'));
}

describeWithPostgres('records of which a mapping makes some fields anew', () => {
  it('have the other fields as they were, on the first load and afterwards', { timeout: 120_000 }, async () => {
    const scenario = await notes(2_000);
    const first = await scenario.run();
    expect(first.stream('public.notes')).toMatchObject({ form: 'cells', upserted: 2_000, deadLettered: 0 });
    await expectMapped(scenario);
    await scenario.source.query(`update public.notes set body = body || E'\\t\\\\2', price = price / 8, at = now() where id % 10 = 0`);
    await scenario.source.query(`update public.notes set price = trunc(price, 2)`);
    expect((await scenario.run()).stream('public.notes')).toMatchObject({ upserted: 200 });
    expect((await scenario.trueup('run', '--full', '--json')).code).toBe(0);
    await expectMapped(scenario);
  });

  it('leave a letter each where a field cannot be made, or the target refuses the record', async () => {
    const scenario = await notes(1_000);
    await scenario.source.query(`update public.notes set part = 0 where id in (1, 500, 1000)`);
    const first = await scenario.run();
    expect(first.code).toBe(3);
    expect(first.stream('public.notes')).toMatchObject({ upserted: 997, deadLettered: 3 });
    await scenario.target.query(`alter table public.notes add check (said <> 'refused!')`);
    await scenario.source.query(
      `update public.notes set part = 1, at = clock_timestamp() where part = 0; update public.notes set body = 'refused', at = clock_timestamp() where id in (2, 900)`,
    );
    const second = await scenario.run();
    expect(second.stream('public.notes')).toMatchObject({ upserted: 3, deadLettered: 2, lettersResolved: 3 });
  });
});
