import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { addDifferences } from './compare.ts';
import type { Differences } from './compare.ts';
import type { TestResult, ToolResult } from './result.ts';
import { TOOLS } from './tools/table.ts';

const PAGE = fileURLToPath(new URL('../../docs/comparison.md', import.meta.url));
const BEGIN = '<!-- bench:loss writes from here: npm run bench:loss -- --report -->';
const END = '<!-- to here -->';

/** Writes the tables into docs/comparison.md. @returns the page's path in the project @throws when the page has no place for them */
export async function publishTable(results: readonly ToolResult[]): Promise<string> {
  const page = await readFile(PAGE, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/comparison.md lacks the lines '${BEGIN}' and '${END}'.`);
  const tables = [summaryTable(results), killTable(results), settingsTable(results)].join('\n\n');
  await writeFile(PAGE, `${before}${BEGIN}\n\n${tables}\n\n${END}${after}`);
  return 'docs/comparison.md';
}

const dash = '–';

/** Rows lost of all rows that changed hands, by test. */
export function summaryTable(results: readonly ToolResult[]): string {
  const columns: [title: string, cell: (result: ToolResult) => string][] = [
    ['tool', ({ tool, version }) => `**${tool}** ${version}`],
    ['late commits: missing / stale', ({ tests }) => lost(tests['late'], 'all')],
    ['long transactions', ({ tests }) => lost(tests['long'], 'all')],
    ['ties across pages', ({ tests }) => lost(tests['ties'], 'pages')],
    ['same stamp later', ({ tests }) => lost(tests['ties'], 'later')],
    ['microseconds', ({ tests }) => lost(tests['microseconds'], 'all')],
    ['stamps an hour back', ({ tests }) => lost(tests['backdated'], 'all')],
    ['after kills', ({ tests }) => lostInAll(tests['kills'])],
    ['duplicated / rolled back / wrong', ({ tests }) => others(tests)],
  ];
  return markdown(columns, inOrder(results));
}

/** What a kill -9 leaves and costs. */
function killTable(results: readonly ToolResult[]): string {
  const kinds = ['first load', 'increments'] as const;
  const columns: [string, (result: ToolResult) => string][] = [['tool', ({ tool }) => tool]];
  for (const kind of kinds) {
    columns.push([`${kind}: read again by the next run`, ({ tests }) => readAgain(tests['kills'], kind)]);
    columns.push([`${kind}: failed re-runs`, ({ tests }) => failedReruns(tests['kills'], kind)]);
    columns.push([`${kind}: tables left behind`, ({ tests }) => leftovers(tests['kills'], kind)]);
  }
  return markdown(columns, inOrder(results));
}

/** What was run, so that it can be run again. */
function settingsTable(results: readonly ToolResult[]): string {
  return markdown(
    [
      ['tool', ({ tool }) => tool],
      ['version', ({ version }) => version],
      ['setting', ({ configuration }) => configuration],
      ['promises of rows that commit late', ({ promise }) => promise],
      ['command', ({ command }) => `\`${command.replaceAll('|', '\\|')}\``],
      ['date', ({ date }) => date],
      ['runs in late / long', ({ tests }) => `${tests['late']?.runs ?? dash} / ${tests['long']?.runs ?? dash}`],
      ['load of the machine', ({ tests }) => loadRange(Object.values(tests))],
    ],
    inOrder(results),
  );
}

function loadRange(tests: readonly TestResult[]): string {
  const loads = tests.map(({ load }) => load);
  return `${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
}

function lost(test: TestResult | undefined, part: string): string {
  const differences = test?.parts[part];
  if (test === undefined || differences === undefined) return dash;
  return `${differences.missing} / ${differences.stale} of ${differences.rows}${failures(test)}`;
}

function lostInAll(test: TestResult | undefined): string {
  if (test === undefined) return dash;
  const { missing, stale } = addDifferences(Object.values(test.parts));
  return `${missing} / ${stale}${failures(test)}`;
}

/** A tool whose runs fail loses nothing silently: that belongs beside the number. */
function failures({ runs, failedRuns }: TestResult): string {
  return failedRuns === 0 ? '' : ` (${failedRuns} of ${runs} runs failed)`;
}

function others(tests: ToolResult['tests']): string {
  const all: Differences[] = Object.values(tests).flatMap(({ parts }) => Object.values(parts));
  const { duplicated, extra, wrong } = addDifferences(all);
  return `${duplicated} / ${extra} / ${wrong}`;
}

function readAgain(test: TestResult | undefined, kind: string): string {
  const shares = test?.kills?.[kind]?.readByRerun ?? [];
  return shares.length === 0 ? dash : shares.map((share) => `${Math.round(share * 100)} %`).join(', ');
}

function failedReruns(test: TestResult | undefined, kind: string): string {
  const facts = test?.kills?.[kind];
  if (facts === undefined) return dash;
  return `${facts.failedReruns} after ${facts.killed} kills${facts.stuck === 0 ? '' : `, ${facts.stuck} stuck`}`;
}

function leftovers(test: TestResult | undefined, kind: string): string {
  const left = test?.kills?.[kind]?.leftovers;
  if (left === undefined) return dash;
  return left.tables === 0 ? 'none' : `${left.tables} (${(left.bytes / 2 ** 20).toFixed(1)} MiB)`;
}

function inOrder(results: readonly ToolResult[]): ToolResult[] {
  const place = ({ tool }: ToolResult) => {
    const index = TOOLS.findIndex(({ name }) => name === tool);
    return index === -1 ? TOOLS.length : index;
  };
  return results.toSorted((a, b) => place(a) - place(b));
}

function markdown(columns: readonly [string, (result: ToolResult) => string][], results: readonly ToolResult[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const head = [line(columns.map(([title]) => title)), line(columns.map(() => '---'))];
  return [...head, ...results.map((result) => line(columns.map(([, cell]) => cell(result))))].join('\n');
}
