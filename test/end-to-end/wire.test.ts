import { describe, expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { expectEqualTables, openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** Arrays travel as text, all else here in binary. */
const FORMS = { 'pgcopy/binary': '', 'pgcopy/text': `, tags text[] default '{a,"b c",NULL}'` } as const;
type Form = keyof typeof FORMS;

const notesTable = (form: Form): string =>
  `create table public.notes (id bigint primary key, body text, doc jsonb, raw bytea, at timestamptz not null default now()${FORMS[form]});
  create index on public.notes (at, id)`;
/** Everything that COPY escapes, beside what it must leave alone. */
const BODY = String.raw`case n % 6 when 0 then E'tab\t and \\ backslash' when 1 then E'line\nand\r\nline' when 2 then '\N' when 3 then null when 4 then '' else 'ünïcödé 🚲 ' || n end`;
const JOB = `
  notes:
    source: shop
    target: copy
    streams:
      - { from: public.notes, changes: { by: cursor, field: at } }
`;

async function notes(form: Form, count: number, defaults = ''): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source.query(notesTable(form));
  await scenario.source.query(
    `insert into public.notes select n, ${BODY}, jsonb_build_object('n', n), sha256(n::text::bytea), now() - n * interval '1 ms' from generate_series(1, ${count}) n`,
  );
  await scenario.jobs(JOB, defaults);
  return scenario;
}

describe.each(Object.keys(FORMS) as Form[])('as %s', (form) => {
  describeWithPostgres('records that no mapping looks into', () => {
    it('go from Postgres to Postgres as COPY sends them, on the first load and afterwards', { timeout: 120_000 }, async () => {
      const scenario = await notes(form, 25_000);
      const first = await scenario.run();
      expect(first.code).toBe(0);
      expect(first.stream('public.notes')).toMatchObject({ form, upserted: 25_000, unchanged: 0, deadLettered: 0 });
      await expectEqualTables(scenario, 'public.notes');
      await scenario.source.query(
        `update public.notes set body = body || E'\\t2', at = now() where id % 100 = 0; insert into public.notes (id) values (0)`,
      );
      const second = await scenario.run();
      expect(second.stream('public.notes')).toMatchObject({ form, upserted: 251 });
      await expectEqualTables(scenario, 'public.notes');
      expect((await scenario.run()).stream('public.notes')).toMatchObject({ read: 0 });
      // The first of them are written while the others are still being read.
      await scenario.source.query(`update public.notes set at = now()`);
      const { upserted, batches } = (await scenario.run()).stream('public.notes');
      expect({ upserted, inOne: batches === 1 }).toEqual({ upserted: 25_001, inOne: false });
      await expectEqualTables(scenario, 'public.notes');
    });

    it('go straight into a table that has some of them already, and change only what differs', async () => {
      const scenario = await notes(form, 3_000);
      await scenario.target.query(notesTable(form));
      await scenario.target.query(`insert into public.notes (id, body) values (7, 'old'), (2999, 'old')`);
      const first = await scenario.run();
      expect(first.stream('public.notes')).toMatchObject({ form, upserted: 3_000 });
      await expectEqualTables(scenario, 'public.notes');
      const again = await scenario.trueup('run', 'notes', '--full', '--json');
      expect(JSON.parse(again.stdout)).toMatchObject({ jobs: [{ streams: [{ upserted: 0, unchanged: 3_000 }] }] });
    });

    it('leave one letter for each record that the target refuses', async () => {
      const scenario = await notes(form, 2_000);
      await scenario.target.query(notesTable(form));
      await scenario.target.query(`alter table public.notes add constraint short check (length(body) < 1000)`);
      await scenario.source.query(`update public.notes set body = repeat('x', 2000) where id in (5, 1999)`);
      const first = await scenario.run();
      expect(first.code).toBe(3);
      expect(first.stream('public.notes')).toMatchObject({ form, upserted: 1_998, deadLettered: 2 });
      expect(await scenario.target.query('select count(*)::int as n from public.notes')).toEqual([{ n: 1_998 }]);
    });

    it('leave a letter by its key for a row over maxRecordBytes, first among the rows and last', async () => {
      const scenario = await notes(form, 500, 'defaults: { maxRecordBytes: 64KiB }\n');
      await scenario.source.query(`update public.notes set body = repeat('x', 100000) where id in (1, 250, 500)`);
      const first = await scenario.run();
      expect(first.code).toBe(3);
      expect(first.stream('public.notes')).toMatchObject({ upserted: 497, deadLettered: 3 });
      const letters = await scenario.trueup('dead-letters', 'list', '--json');
      expect((JSON.parse(letters.stdout) as { letters: { key: string }[] }).letters.map(({ key }) => key).toSorted()).toEqual([
        '1',
        '250',
        '500',
      ]);
      await scenario.source.query(`update public.notes set body = 'short', at = now() where id in (1, 250, 500)`);
      expect((await scenario.run()).stream('public.notes')).toMatchObject({ upserted: 3, lettersResolved: 3 });
      await expectEqualTables(scenario, 'public.notes');
    });

    it('travel as cells where a column of the target has another type', async () => {
      const scenario = await notes(form, 100);
      await scenario.target.query(notesTable(form).replace('body text', 'body varchar(5000)'));
      expect((await scenario.run()).stream('public.notes')).toMatchObject({ form: 'cells', upserted: 100 });
    });
  });
});
