import { to as copyTo } from 'pg-copy-streams';
import { expect, it } from 'vitest';
import { exitAndPeak } from '../end-to-end/peak-memory.ts';
import { PLANTS, plantAll, seedThings, watchWrites, writtenIds } from '../end-to-end/plants.ts';
import { expectEqualTables, openScenario } from '../end-to-end/scenario.ts';
import type { Scenario } from '../end-to-end/scenario.ts';
import { verify, verifiedOf } from '../end-to-end/verify-scenario.ts';
import type { Verified } from '../end-to-end/verify-scenario.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';

const ROWS = 1_000_000;
const EACH = 1000;
/** Plants stand at ids 1 to 9 of every hundred; the writer works elsewhere. */
const STEP = 100;
const VERIFY_MEMORY = 200 * 1024 * 1024;

const jobs = (where: string): string => `
  things:
    source: shop
    target: copy
    streams:
      - { from: public.things, changes: { by: cursor, field: at }${where} }
`;

/** Reads a table by COPY and lets the bytes go. */
async function readByCopy(database: TestDatabase): Promise<void> {
  const client = await database.connect();
  const stream = client.query(copyTo('copy public.things to stdout'));
  for await (const _chunk of stream);
  await client.end();
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

async function measured(scenario: Scenario): Promise<{ readonly ms: number; readonly peakBytes: number; readonly verified: Verified }> {
  const running = scenario.start(['verify', '--json', 'things']);
  const { exit, peakBytes } = await exitAndPeak(running, 10 * 60_000);
  const verified = verifiedOf(exit);
  return { ms: verified.report.durationMs, peakBytes, verified };
}

describeWithPostgres('verify of 1,000,000 rows', () => {
  it(`finds exactly ${EACH} planted differences of each kind and repairs exactly these, while a writer goes on`, async () => {
    const scenario = await openScenario();
    const { source, target } = scenario;
    await seedThings(source, ROWS);
    await scenario.jobs(jobs(''));
    expect((await scenario.run()).code).toBe(0);

    const apart = await timed(async () => {
      await readByCopy(source);
      await readByCopy(target);
    });
    const together = await timed(() => Promise.all([readByCopy(source), readByCopy(target)]));
    for (const [by, where] of [
      ['database', ''],
      ['records', ', where: "id != 0"'],
    ] as const) {
      // prettier-ignore
      await scenario.jobs(jobs(where));
      const { ms, peakBytes, verified } = await measured(scenario);
      expect(verified).toMatchObject({ code: 0, report: { streams: [{ by, compared: { source: ROWS, target: ROWS } }] } });
      process.stdout.write(
        `verify by ${by}: ${Math.round(ms)} ms, ${Math.round(peakBytes / 2 ** 20)} MiB; COPY of both sides one after the other ${Math.round(apart)} ms (${(ms / apart).toFixed(2)}), at the same time ${Math.round(together)} ms (${(ms / together).toFixed(2)})\n`,
      );
      expect(ms / apart).toBeLessThan(2);
      expect(peakBytes).toBeLessThan(VERIFY_MEMORY);
    }

    await scenario.jobs(jobs(''));
    const planted = await plantAll(target, EACH, STEP);
    await watchWrites(target, 'public.things');
    const writer = await startWriter(source);
    const differing = PLANTS.filter(({ kind }) => kind === 'different').length * EACH;
    const found = await verify(scenario, 'things');
    expect(found.stream()).toMatchObject({ missing: EACH, extra: EACH, different: differing });
    expect(found.stream().explained.pending).toBeGreaterThan(0);
    const repaired = await verify(scenario, 'things', '--repair');
    expect(repaired).toMatchObject({ code: 0, report: { streams: [{ repaired: differing + 2 * EACH }] } });
    const ids = [...planted].flatMap(([{ kind }, of]) => (kind === 'extra' ? of.map((id) => -id) : of));
    expect(await writtenIds(target)).toEqual(ids.toSorted((a, b) => a - b));

    await writer.stop();
    expect((await scenario.run()).code).toBe(0);
    expect((await verify(scenario, 'things')).stream()).toMatchObject({ missing: 0, extra: 0, different: 0, explained: { pending: 0 } });
    await expectEqualTables(scenario, 'public.things');
  });
});

/** Changes and adds rows that carry no plant, transaction after transaction. */
async function startWriter(source: TestDatabase): Promise<{ stop(): Promise<void> }> {
  const client = await source.connect();
  let done = false;
  const writing = (async () => {
    for (let round = 0; !done; round++) {
      await client.query(
        `update public.things set label = 'round ${round}', amount = amount + 1, at = clock_timestamp() where id % ${STEP} = 50 and id / ${STEP} % 500 = ${round % 500}`,
      );
      await client.query(
        `insert into public.things select ${ROWS + 1} + ${round} * 3 + n, clock_timestamp(), 1, '', 0, '{}', true from generate_series(0, 2) n`,
      );
    }
  })();
  return {
    stop: async () => {
      done = true;
      await writing;
    },
  };
}
