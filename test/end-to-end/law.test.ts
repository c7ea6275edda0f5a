import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** One table, how it is read, and what its rows must be in the target: SQL over the source that knows nothing of trueup. */
interface Subject {
  readonly table: string;
  readonly yaml: string;
  readonly mapping: string;
  readonly expected: string;
}

const MAPPING = `fields:\n  id: id\n  doubled: { expr: "v * 2", type: int64 }\n  label: { expr: "status == null ? 'none' : status + '#' + string(id)", type: text }\n  at: updated_at\n`;
const EXPECTED = `select id, v::bigint * 2 as doubled, coalesce(status || '#' || id, 'none') as label, updated_at as at`;

const SUBJECTS: readonly Subject[] = [
  {
    table: 'plain',
    yaml: 'changes: { by: cursor, field: updated_at }',
    mapping: MAPPING,
    expected: `${EXPECTED} from public.plain`,
  },
  {
    table: 'filtered', // rows enter and leave the filter; NULL is not equal to 'draft'
    yaml: 'changes: { by: cursor, field: updated_at }, deletes: { when: gone }',
    mapping: `where: "status != 'draft'"\n${MAPPING}`,
    expected: `${EXPECTED} from public.filtered where status is distinct from 'draft' and gone is not true`,
  },
  {
    table: 'versioned', // without a cursor column, and a filter that is NULL for some rows: they do not pass
    yaml: 'changes: { by: xmin }, where: "v > 2"',
    mapping: MAPPING,
    expected: `${EXPECTED} from public.versioned where v > 2`,
  },
];

/** A piece of work on rows `low` to `high`. */
const work = fc.record({
  kind: fc.constantFrom('upsert', 'value', 'draft', 'paid', 'unknown', 'gone', 'back', 'rolled back', 'nothing'),
  low: fc.integer({ min: 1, max: 40 }),
  span: fc.integer({ min: 0, max: 12 }),
  v: fc.option(fc.integer({ min: -3, max: 9 }), { nil: null }),
  stamp: fc.constantFrom('now()', 'clock_timestamp()'),
});
type Work = typeof work extends fc.Arbitrary<infer T> ? T : never;

/** What happens before a run, and in a transaction that is open while it runs. Each side has rows of its own, or they would wait for each other. */
const step = fc.record({ now: fc.array(work, { minLength: 1, maxLength: 6 }), late: fc.array(work, { maxLength: 3 }) });

function sqlOf({ kind, low, span, v, stamp }: Work, table: string, parity: 0 | 1): string {
  const rows = `id between ${low} and ${low + span} and id % 2 = ${parity}`;
  const set = (what: string): string => `update public.${table} set ${what}, updated_at = ${stamp} where ${rows}`;
  switch (kind) {
    case 'upsert':
      return `insert into public.${table} select n, ${v ?? 'null'}, 'new', false, ${stamp} from generate_series(${low}, ${low + span}) as n where n % 2 = ${parity}
        on conflict (id) do update set v = excluded.v, updated_at = excluded.updated_at`;
    case 'value':
      return set(`v = ${v ?? 'null'}`);
    case 'draft':
    case 'paid':
      return set(`status = '${kind}'`);
    case 'unknown':
      return set('status = null');
    case 'gone':
      return set('gone = true');
    case 'back':
      return set('gone = null');
    case 'nothing':
      return set('v = v');
    case 'rolled back':
      return `savepoint s; ${set('v = 1000')}; rollback to savepoint s; release savepoint s`;
  }
}

async function openSubjects(): Promise<Scenario> {
  const scenario = await openScenario();
  for (const { table, mapping } of SUBJECTS) {
    await scenario.source
      .query(`create table public.${table} (id int primary key, v int, status text, gone boolean, updated_at timestamptz not null); create index on public.${table} (updated_at, id);
      insert into public.${table} select n, n % 7, (array['draft', 'new', null])[1 + n % 3], n % 5 = 0, '2026-01-01Z' from generate_series(1, 30) as n`);
    await scenario.write(`${table}.yaml`, mapping);
  }
  const streams = SUBJECTS.map(({ table, yaml }) => `      - { from: public.${table}, mapping: ${table}.yaml, ${yaml} }\n`).join('');
  await scenario.jobs(`\n  all:\n    source: shop\n    target: copy\n    streams:\n${streams}`, 'defaults: { batch: { rows: 3 } }\n');
  return scenario;
}

const sorted = async (database: TestDatabase, query: string): Promise<string[]> =>
  (await database.query<{ row: string }>(`select to_jsonb(t)::text as row from (${query}) as t`)).map(({ row }) => row).toSorted();

async function expectAsComputed(scenario: Scenario): Promise<void> {
  for (const { table, expected } of SUBJECTS)
    expect({ table, rows: await sorted(scenario.target, `select * from public.${table}`) }).toEqual({
      table,
      rows: await sorted(scenario.source, expected),
    });
}

const seed = Number(process.env['TRUEUP_TEST_SEED'] ?? Date.now() % 1_000_000);

describeWithPostgres(`random work over several runs (seed ${seed})`, () => {
  it('leaves the target as SQL over the source computes it, after every run, and every report adds up', { timeout: 180_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 2 }), async (steps) => {
        const scenario = await openSubjects();
        const late = await scenario.source.connect();
        for (const { now, late: open } of steps) {
          await late.query('begin');
          for (const { table } of SUBJECTS) {
            for (const one of open) await late.query(sqlOf(one, table, 1));
            for (const one of now) await scenario.source.query(`begin; ${sqlOf(one, table, 0)}; commit`);
          }
          const ran = await scenario.run();
          expect(ran.code).toBe(0);
          await expectAsComputed(scenario);
          await late.query('commit');
        }
        expect((await scenario.run()).code).toBe(0);
        await expectAsComputed(scenario);
        const quiet = await scenario.run();
        for (const stream of quiet.report.jobs[0]?.streams ?? []) expect(stream).toMatchObject({ upserted: 0, deleted: 0 });
      }),
      { seed, numRuns: Number(process.env['TRUEUP_TEST_RUNS'] ?? 2), endOnFailure: true },
    );
  });
});
