/** `npm run bench:loss`: what sync tools lose, measured. See docs/comparison.md, and `--help`. */
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { publishTable, summaryTable } from './comparison-table.ts';
import { HELP, parseOptions } from './options.ts';
import type { Options } from './options.ts';
import { installPackages } from './python.ts';
import { RESULTS_DIR, readResults, writeResult } from './result.ts';
import type { TestResult, ToolResult } from './result.ts';
import { openServers } from './servers.ts';
import type { Servers } from './servers.ts';
import type { LossTest } from './tests/table.ts';
import type { Tool } from './tool.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const print = (text: string) => void process.stdout.write(`${text}\n`);
const log = (line: string) => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options.help) return print(HELP);
  if (options.report) return publish();
  await using servers = await openServers({ toolsDir: options.toolsDir, seed: options.seed, log });
  const results: ToolResult[] = [];
  const skipped: string[] = [];
  for (const tool of options.tools) {
    const version = await provide(tool, options);
    if (version === null) skipped.push(tool.name);
    else {
      const result = await measure({ tool, version, options, servers });
      if (Object.keys(result.tests).length === 0) skipped.push(tool.name);
      else results.push(result);
    }
  }
  print(summaryTable(results));
  if (skipped.length > 0) print(`\nNOT MEASURED: ${skipped.join(', ')}; the reasons stand above.`);
}

async function publish(): Promise<void> {
  const results = await readResults(RESULTS_DIR);
  print(`Wrote the results of ${results.length} tools into ${await publishTable(results)}.`);
}

/** @returns its version; `null` when it cannot be had, which has been said loudly */
async function provide(tool: Tool, { install, toolsDir }: Options): Promise<string | null> {
  const found = await tool.find(toolsDir);
  if ('version' in found) return found.version;
  if (install) {
    try {
      for (const packages of tool.packages) {
        log(`${tool.name}: installing ${packages.requirements.join(' ')}`);
        await installPackages(toolsDir, packages);
      }
    } catch (error) {
      log(`*** ${tool.name} is SKIPPED: it cannot be installed. ${error instanceof Error ? error.message : String(error)} ***`);
      return null;
    }
  }
  const again = await tool.find(toolsDir);
  if ('version' in again) return again.version;
  log(`*** ${tool.name} is SKIPPED: ${again.absent}. ***`);
  return null;
}

interface Measuring {
  readonly tool: Tool;
  readonly version: string;
  readonly options: Options;
  readonly servers: Servers;
}

async function measure({ tool, version, options, servers }: Measuring): Promise<ToolResult> {
  const tests: Record<string, TestResult> = {};
  for (const test of options.tests) {
    log(`${tool.name} ${version}: ${test.name}`);
    const result = await measureTest(test, { tool, version, options, servers });
    log(`${tool.name}: ${test.name}: ${JSON.stringify(result)}`);
    // Nothing was tried then: a wrong set-up, and no loss of the tool's.
    if (result.runs === result.failedRuns) log(`*** ${tool.name}: every run of '${test.name}' FAILED, so it is not measured. ***`);
    else tests[test.name] = result;
  }
  const result: ToolResult = {
    tool: tool.name,
    version,
    configuration: tool.configuration,
    promise: tool.promise,
    command: commandLine(tool),
    date: new Date().toISOString().slice(0, 10),
    postgres: servers.version,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    tests,
  };
  if (options.keep && Object.keys(tests).length > 0) log(`Wrote ${await writeResult(RESULTS_DIR, result)}`);
  return result;
}

async function measureTest(test: LossTest, { tool, options, servers }: Measuring): Promise<TestResult> {
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10;
  const startedAt = performance.now();
  const outcome = await test.run(servers, tool, options.sizes);
  return {
    ...outcome,
    seed: options.seed,
    options: test.options(options.sizes),
    durationMs: Math.round(performance.now() - startedAt),
    load,
  };
}

/** With words for what differs between machines. */
function commandLine(tool: Tool): string {
  const place = { source: '$SOURCE', target: '$TARGET', dir: '$DIR', toolsDir: '$TOOLS' };
  return tool.command(place).argv.join(' ').replaceAll(process.execPath, 'node').replaceAll(ROOT, '');
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`bench:loss: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
});
