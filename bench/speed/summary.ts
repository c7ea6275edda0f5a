import type { CaseResult, Spread, Summary } from './result.ts';
import { summaries } from './result.ts';

export function summaryText(result: CaseResult): string {
  const rows = summaries(result).map((one) => `  ${one.name.padEnd(44)} ${wall(one)}  ${ratioText(one.ratio).padEnd(22)} ${more(one)}`);
  return [`\n${result.title}${result.target === undefined ? '' : ` (at most ${result.target.toFixed(2)} ×)`}`, ...rows].join('\n');
}

function wall({ wallMs }: Summary): string {
  return `${(wallMs.median / 1000).toFixed(2).padStart(8)} s`;
}

export function ratioText(ratio: Spread | null): string {
  if (ratio === null) return '1.00 ×';
  const { median, min, max } = ratio;
  return min === max ? `${median.toFixed(2)} ×` : `${median.toFixed(2)} × (${min.toFixed(2)}–${max.toFixed(2)})`;
}

function more({ rowsPerSecond, cpuMs, rssBytes, cpuRatio, notes }: Summary): string {
  return [
    ...(rowsPerSecond === null ? [] : [`${Math.round(rowsPerSecond / 1000)}k rows/s`]),
    ...(cpuMs === null ? [] : [`CPU ${(cpuMs / 1000).toFixed(2)} s`]),
    ...(cpuRatio === null ? [] : [`all CPU ${cpuRatio.median.toFixed(2)} ×`]),
    ...(rssBytes === null ? [] : [`${Math.round(rssBytes / 1024 / 1024)} MiB`]),
    ...Object.entries(notes).map(([name, value]) => `${name} ${value}`),
  ].join(', ');
}

/** A change of CPU time that is more than the noise of a machine at work. */
const NOTABLE = 0.15;

/** What moved since the results on disk, by CPU time beside the reference's: wall time says little of one round. */
export function movedText(now: CaseResult, before: CaseResult | undefined): string {
  if (before === undefined) return '  nothing to compare with yet';
  const known = new Map(summaries(before).map((one) => [one.name, one]));
  const lines = summaries(now).flatMap(({ name, cpuRatio }) => {
    const then = known.get(name)?.cpuRatio?.median;
    if (cpuRatio === null || then === undefined) return [];
    const change = cpuRatio.median / then - 1;
    const verdict = Math.abs(change) < NOTABLE ? 'as before' : change > 0 ? '*** SLOWER ***' : 'faster';
    return [`  ${name}: all CPU ${cpuRatio.median.toFixed(2)} ×, was ${then.toFixed(2)} × (${before.rows} rows): ${verdict}`];
  });
  return lines.join('\n');
}
