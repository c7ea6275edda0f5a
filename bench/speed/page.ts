import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { CASES } from './cases/table.ts';
import { chart } from './chart.ts';
import { summaries } from './result.ts';
import type { CaseResult } from './result.ts';
import { ratioText } from './summary.ts';

const PAGE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const CHARTS = fileURLToPath(new URL('../../docs/charts', import.meta.url));
const [BEGIN, END] = ['<!-- measured: begin -->', '<!-- measured: end -->'];

/** Writes the tables and charts into docs/performance.md, between its two marks. */
export async function publishPage(results: readonly CaseResult[]): Promise<string> {
  const ordered = inOrder(results);
  await mkdir(CHARTS, { recursive: true });
  for (const result of ordered) await writeFile(`${CHARTS}/${result.case}.svg`, chart(result));
  const page = await readFile(PAGE, 'utf8');
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from === -1 || to < from) throw new Error(`${PAGE} has no lines '${BEGIN}' and '${END}'`);
  const measured = [machineText(ordered), overview(ordered), ...ordered.map(section)].join('\n\n');
  await writeFile(PAGE, `${page.slice(0, from + BEGIN.length)}\n\n${measured}\n\n${page.slice(to)}`);
  return PAGE;
}

/** As the cases stand in the program. Case names are asked from makers that need nothing. */
function inOrder(results: readonly CaseResult[]): CaseResult[] {
  const nothing = { psql: null, mongodb: null, rows: 0 } as Parameters<(typeof CASES)[number]>[0];
  const names = CASES.map((make) => make(nothing).name);
  return results.toSorted((a, b) => names.indexOf(a.case) - names.indexOf(b.case));
}

function machineText(results: readonly CaseResult[]): string {
  const machine = results[0]?.machine;
  if (machine === undefined) return 'Nothing measured yet.';
  const days = [...new Set(results.map(({ measuredAt }) => measuredAt.slice(0, 10)))].join(', ');
  return `${machine.cpus} × ${machine.model}, ${Math.round(machine.memoryBytes / 1024 ** 3)} GiB, Node.js ${machine.node.slice(1)}, PostgreSQL ${machine.postgres} with fsync on, source, target and trueup on the same machine. Measured ${days}.`;
}

function overview(results: readonly CaseResult[]): string {
  const rows = results.map((result) => {
    const all = summaries(result);
    const own = all.find(({ name }) => name === 'trueup') ?? all.find(({ ratio }, index) => ratio !== null && isTrueup(result, index));
    if (own === undefined) return null;
    const target = result.target === undefined ? '–' : `≤ ${result.target.toFixed(2)} ×`;
    const rss = own.rssBytes === null ? '–' : `${Math.round(own.rssBytes / 1024 / 1024)} MiB`;
    return `| [${result.title}](#${result.case}) | ${result.reference} | ${ratioText(own.ratio)} | ${target} | ${rss} |`;
  });
  return [
    '| work | reference | trueup, wall time | target | peak memory |',
    '| --- | --- | --- | --- | --- |',
    ...rows.filter((row) => row !== null),
  ].join('\n');
}

function isTrueup(result: CaseResult, index: number): boolean {
  return Object.keys(result.contenders)[index]?.startsWith('trueup') ?? false;
}

function section(result: CaseResult): string {
  const rows = summaries(result).map((one) => {
    const speed = one.rowsPerSecond === null ? '–' : `${Math.round(one.rowsPerSecond / 1000)}k`;
    const cpu = one.cpuMs === null ? '–' : `${(one.cpuMs / 1000).toFixed(2)} s`;
    const all = one.cpuRatio === null ? '1.00 ×' : `${one.cpuRatio.median.toFixed(2)} ×`;
    const rss = one.rssBytes === null ? '–' : `${Math.round(one.rssBytes / 1024 / 1024)} MiB`;
    const notes = Object.entries(one.notes)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
    return `| ${one.name}${notes === '' ? '' : ` (${notes})`} | ${(one.wallMs.median / 1000).toFixed(2)} s | ${ratioText(one.ratio)} | ${speed} | ${cpu} | ${all} | ${rss} |`;
  });
  const rounds = Math.max(...Object.values(result.contenders).map((runs) => runs.length));
  return [
    `### ${result.case}`,
    `${result.title}.`,
    `![${result.title}](charts/${result.case}.svg)`,
    `${result.rows === 0 ? '' : `${result.rows.toLocaleString('en')} records, `}${rounds} round${rounds === 1 ? '' : 's'}, interleaved, load ${result.machine.loadAtStart.toFixed(1)} at the start.`,
    [
      '| | wall time | beside the reference | rows/s | CPU of the process | CPU, servers included | peak memory |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
  ].join('\n\n');
}
