/** `npm run bench`: trueup beside what the databases can do alone. See docs/performance.md, and `--help`. */
import { cpus, loadavg, totalmem } from 'node:os';
import type { Case } from './bench.ts';
import { CASES } from './cases/table.ts';
import { measure } from './measure.ts';
import { HELP, parseOptions } from './options.ts';
import type { Options } from './options.ts';
import { publishPage } from './page.ts';
import { readResults, writeResult } from './result.ts';
import type { CaseResult, RunFigures } from './result.ts';
import { openBench } from './servers.ts';
import type { Opened } from './servers.ts';
import { movedText, summaryText } from './summary.ts';

const print = (text: string) => void process.stdout.write(`${text}\n`);
const log = (line: string) => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) return (print(HELP), 0);
  if (options.report) return (print(`Wrote ${await publishPage(await readResults())}.`), 0);
  await using bench = await openBench({ rows: options.rows, log });
  const made = CASES.map((make) => make(bench));
  if (options.list)
    return (print(made.map((one) => `${one.name.padEnd(24)} ${'missing' in one ? `needs ${one.missing}` : one.title}`).join('\n')), 0);
  const unknown = options.cases.filter((name) => !made.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`unknown case ${unknown.join(', ')}. Cases: ${made.map(({ name }) => name).join(', ')}`);
  const failed: string[] = [];
  for (const one of made) {
    if (options.cases.length > 0 && !options.cases.includes(one.name)) continue;
    if ('missing' in one) {
      log(`*** ${one.name} is SKIPPED: there is no ${one.missing} on this machine. ***`);
      continue;
    }
    try {
      await runCase(bench, one, options);
    } catch (error) {
      failed.push(one.name);
      log(`*** ${one.name} FAILED: ${error instanceof Error ? error.message : String(error)} ***`);
    }
  }
  if (failed.length > 0) print(`\nFAILED: ${failed.join(', ')}; the reasons stand above.`);
  return failed.length === 0 ? 0 : 1;
}

async function runCase(bench: Opened, one: Case, { rounds, quick }: Options): Promise<void> {
  log(`${one.name}: ${one.title}`);
  const loadAtStart = loadavg()[0] ?? 0;
  await one.prepare();
  const runs: Record<string, RunFigures[]> = {};
  const contenders = await one.contenders();
  for (let round = 1; round <= rounds; round++) {
    // Interleaved, in another order each round: what is warm or tired is so for everybody in turn.
    for (const contender of [...contenders.slice(round % contenders.length), ...contenders.slice(0, round % contenders.length)]) {
      await contender.reset();
      const measured = await measure(await contender.command(), bench.servers);
      const notes = await contender.check(measured);
      const { stdout: _stdout, ...figures } = measured;
      const wallMs = contender.wallMs?.(measured) ?? figures.wallMs;
      (runs[contender.name] ??= []).push({ ...figures, wallMs, ...(notes === undefined ? {} : { notes }) });
      log(`  round ${round}, ${contender.name}: ${(wallMs / 1000).toFixed(2)} s`);
    }
  }
  const result: CaseResult = {
    case: one.name,
    title: one.title,
    rows: one.rows,
    reference: one.reference,
    ...(one.target === undefined ? {} : { target: one.target }),
    machine: {
      cpus: cpus().length,
      model: cpus()[0]?.model ?? 'unknown',
      memoryBytes: totalmem(),
      node: process.version,
      postgres: bench.version,
      loadAtStart,
    },
    measuredAt: new Date().toISOString(),
    contenders: runs,
  };
  print(summaryText(result));
  if (quick)
    print(
      movedText(
        result,
        (await readResults()).find((before) => before.case === result.case),
      ),
    );
  else await writeResult(result);
}

process.exitCode = await main(process.argv.slice(2));
