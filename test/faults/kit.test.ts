import { describe, expect, it } from 'vitest';
import { contentDifferences } from '../../src/testing/faults/content.ts';
import { jumpClock } from '../../src/testing/faults/clock.ts';
import { FAIL_POINTS } from '../../src/testing/faults/fail-points.ts';
import { parseSteps } from '../../src/testing/faults/fault-plan.ts';
import { FAULTS } from '../../src/testing/faults/faults.ts';
import { faultsCommand } from '../../src/testing/faults/faults-command.ts';
import { parseReport, reportProblems } from '../../src/testing/faults/printed-report.ts';
import type { FaultOutcome } from '../../src/testing/faults/run-faults.ts';
import { outcomeCounts, outcomeTable, outcomeText } from '../../src/testing/faults/table.ts';

const rows = (...texts: readonly string[]) => texts.map((text) => ({ key: text.slice(0, 1), content: text.slice(1) }));

describe('the comparison of the kit', () => {
  it('finds nothing where there is nothing, in whatever order', () => {
    expect(contentDifferences(rows('a1', 'b2'), rows('b2', 'a1'))).toEqual([]);
  });

  it('tells what is missing, there twice, too much and different, by key and not by value', () => {
    expect(contentDifferences(rows('a1', 'b2', 'c3'), rows('b2', 'b2', 'c4', 'd5'))).toEqual([
      '1 missing: a',
      '1 twice: b',
      '1 extra: d',
      '1 different: c',
    ]);
  });

  it('does not believe a pair that expects a key twice', () => {
    expect(() => contentDifferences(rows('a1', 'a2'), rows('a1'))).toThrow(/expects a key twice/);
  });
});

describe('the law of reports', () => {
  const stream = {
    stream: 's',
    read: 9,
    filtered: 1,
    coalesced: 1,
    upserted: 2,
    unchanged: 2,
    deleted: 1,
    superseded: 1,
    deadLettered: 1,
    retries: 0,
  };
  const report = (change: object) => parseReport(JSON.stringify({ exitCode: 0, jobs: [{ streams: [{ ...stream, ...change }] }] }))!;

  it('holds for sums that add up', () => expect(reportProblems(report({}), 0)).toEqual([]));

  it.each(['read', 'filtered', 'coalesced', 'upserted', 'unchanged', 'deleted', 'superseded', 'deadLettered'] as const)(
    'is broken by one too many in %s',
    (member) => expect(reportProblems(report({ [member]: stream[member] + 1 }), 0)).toEqual([expect.stringContaining('does not add up')]),
  );

  it('is broken by an exit code that is not that of the process', () => {
    expect(reportProblems(report({}), 1)).toEqual(['the report says exit code 0, the process 1']);
  });

  it('needs a report', () => {
    expect([parseReport(''), parseReport('null'), parseReport('{"jobs": 1}')]).toEqual([null, null, null]);
  });
});

describe('steps', () => {
  it('are read back as they were written, without a line that a kill cut off', () => {
    expect(parseSteps('1 before source.batch\n2 after lane.commit !\n3 before la')).toEqual([
      { hit: 1, when: 'before', point: 'source.batch', faulty: false },
      { hit: 2, when: 'after', point: 'lane.commit', faulty: true },
    ]);
  });
});

describe('the clock', () => {
  it('jumps, and a date that is told what it is stays what it is', () => {
    const [Before, before] = [Date, Date.now()];
    try {
      jumpClock(3_600_000);
      expect(Date.now() - before).toBeGreaterThanOrEqual(3_600_000);
      expect(new Date().getTime() - before).toBeGreaterThanOrEqual(3_600_000);
      expect(new Date(5).getTime()).toBe(5);
      expect(new Date('2026-11-24').toISOString()).toBe('2026-11-24T00:00:00.000Z');
      expect(new Date()).toBeInstanceOf(Before);
    } finally {
      jumpClock(-3_600_000);
    }
    expect(Math.abs(Date.now() - before)).toBeLessThan(60_000);
  });
});

describe('the command line of the kit', () => {
  const run = async (...args: readonly string[]) => {
    let out = '';
    const code = await faultsCommand({ args, pairs: [], write: (text) => void (out += text) });
    return { code, out };
  };

  it('lists every fault and every fail point', async () => {
    const { code, out } = await run('--list');
    expect(code).toBe(0);
    for (const name of [...FAULTS.map((fault) => fault.name), ...Object.keys(FAIL_POINTS)]) expect(out).toContain(name);
    expect(new Set(FAULTS.map((fault) => fault.name)).size).toBe(FAULTS.length);
  });

  it.each([['--fault', 'kill'], ['--seed', 'x'], ['--jobs', '0'], ['--patience', '-1'], ['--nonsense'], ['--pair', 'nobody']])(
    'ends with 2 and a hint for %s %s',
    async (...args) => {
      const { code, out } = await run(...args);
      expect(code).toBe(2);
      expect(out.length).toBeGreaterThan(20);
    },
  );
});

describe('the table', () => {
  const outcome = (pair: string, fault: string, verdict: FaultOutcome['verdict']): FaultOutcome => ({
    pair,
    fault,
    verdict,
    findings: verdict === 'kept' ? [] : ['because'],
    counts: { runs: 2, killed: 1, faults: 1, retries: 0, records: 10, written: 9, writable: 10 },
    seed: 1,
    durationMs: 1500,
  });
  const outcomes = [outcome('a → b', 'ties', 'kept'), outcome('a → b', 'memory', 'not kept'), outcome('c → d', 'ties', 'absent')];

  it('has faults down and pairs across, and shouts where something was not kept', () => {
    expect(outcomeTable(outcomes)).toBe(['        a → b     c → d', 'ties    kept      –', 'memory  NOT KEPT'].join('\n'));
    expect(outcomeCounts(outcomes)).toEqual({ kept: 1, notKept: 1, absent: 1, runs: 6, killed: 3, faults: 3 });
    expect(outcomeText(outcomes[1]!)).toMatch(/^NOT KEPT memory .* 9 writes of at most 10, 1.5 s\n {4}because$/);
  });
});
