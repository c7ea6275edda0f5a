import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './outcome.ts';

export const RESULTS_DIR = fileURLToPath(new URL('../results/', import.meta.url));

/** What one tool did in one sitting: a file of bench/results. Nothing in it names a machine, a folder or a person. */
export interface ToolResult {
  readonly tool: string;
  readonly version: string;
  readonly configuration: string;
  readonly promise: string;
  /** The tool's command as it was started, with words for what differs between machines. */
  readonly command: string;
  /** Day, UTC. */
  readonly date: string;
  readonly postgres: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly tests: Readonly<Record<string, TestResult>>;
}

export interface TestResult extends Outcome {
  readonly seed: number;
  /** What this test was told to do. */
  readonly options: Readonly<Record<string, number | readonly number[]>>;
  readonly durationMs: number;
  /** Load average of the last minute, before the test. Other work on the machine makes runs slower and rarer. */
  readonly load: number;
}

const fileOf = (tool: string) => `loss-${tool}.json`;

/** Tests of another sitting stay in the file as long as the tool's version and configuration are the same. */
export async function writeResult(dir: string, result: ToolResult): Promise<string> {
  const path = join(dir, fileOf(result.tool));
  const before = await readResult(path);
  const same = before?.version === result.version && before.configuration === result.configuration && before.postgres === result.postgres;
  const tests = same ? { ...before.tests, ...result.tests } : result.tests;
  await writeFile(path, `${JSON.stringify({ ...result, tests }, null, 2)}\n`);
  return path;
}

export async function readResults(dir: string): Promise<ToolResult[]> {
  const files = (await readdir(dir)).filter((file) => /^loss-.+\.json$/.test(file));
  const results = await Promise.all(files.map((file) => readResult(join(dir, file))));
  return results.filter((result) => result !== null);
}

async function readResult(path: string): Promise<ToolResult | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return text === null ? null : (JSON.parse(text) as ToolResult);
}
