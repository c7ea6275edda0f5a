import type { FaultOutcome } from './run-faults.ts';

/** A line about one outcome, and one more for each finding. */
export function outcomeText({ pair, fault, verdict, findings, counts, durationMs }: FaultOutcome): string {
  const parts = [verdict.toUpperCase().padEnd(8), fault.padEnd(18), pair];
  if (counts !== undefined) {
    const { runs, killed, faults, retries, records, written, writable } = counts;
    const writes = written === undefined ? '' : `, ${written} writes of at most ${writable}`;
    parts.push(
      `· ${runs} runs, ${killed} killed, ${faults} faults, ${retries} retries, ${records} records${writes}, ${(durationMs / 1000).toFixed(1)} s`,
    );
  }
  return [parts.join(' '), ...findings.map((finding) => `    ${finding.replaceAll('\n', '\n      ')}`)].join('\n');
}

const CELL: Readonly<Record<FaultOutcome['verdict'], string>> = { kept: 'kept', 'not kept': 'NOT KEPT', absent: '–' };

/** Faults down, pairs across. */
export function outcomeTable(outcomes: readonly FaultOutcome[]): string {
  const pairs = [...new Set(outcomes.map(({ pair }) => pair))];
  const faults = [...new Set(outcomes.map(({ fault }) => fault))];
  const cell = (fault: string, pair: string): string => {
    const found = outcomes.find((one) => one.fault === fault && one.pair === pair);
    return found === undefined ? '' : CELL[found.verdict];
  };
  const rows = [['', ...pairs], ...faults.map((fault) => [fault, ...pairs.map((pair) => cell(fault, pair))])];
  const widths = ['', ...pairs].map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export interface OutcomeCounts {
  readonly kept: number;
  readonly notKept: number;
  readonly absent: number;
  readonly runs: number;
  readonly killed: number;
  readonly faults: number;
}

export function outcomeCounts(outcomes: readonly FaultOutcome[]): OutcomeCounts {
  const of = (verdict: FaultOutcome['verdict']): number => outcomes.filter((one) => one.verdict === verdict).length;
  const sum = (name: 'runs' | 'killed' | 'faults'): number => outcomes.reduce((total, { counts }) => total + (counts?.[name] ?? 0), 0);
  return {
    kept: of('kept'),
    notKept: of('not kept'),
    absent: of('absent'),
    runs: sum('runs'),
    killed: sum('killed'),
    faults: sum('faults'),
  };
}
