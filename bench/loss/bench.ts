import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { createSourceTable } from './source-table.ts';
import type { StampedBy } from './source-table.ts';
import { runTool } from './tool-process.ts';
import type { RunOptions, RunResult } from './tool-process.ts';
import type { Place, Tool } from './tool.ts';

/** What a test needs of its surroundings: empty databases and a folder. */
export interface Bench {
  /** URL of a new, empty database on the side's server. */
  createDatabase(side: 'source' | 'target'): Promise<string>;
  /** Goes with the bench. */
  readonly scratch: string;
  readonly toolsDir: string;
  readonly seed: number;
  /** Lines for people, as things happen. */
  log(line: string): void;
}

/** A source database with the table in it, and a connection to work on it. */
export async function openSource(bench: Bench, stampedBy: StampedBy): Promise<{ url: string; client: pg.Client }> {
  const url = await bench.createDatabase('source');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await createSourceTable(client, stampedBy);
  return { url, client };
}

/** One tool with its target and what became of its runs so far. */
export interface Copy {
  readonly tool: Tool;
  readonly place: Place;
  readonly runs: number;
  /** Runs that ended by themselves and not with 0. */
  readonly failed: number;
  run(options?: RunOptions): Promise<RunResult>;
}

let copies = 0;

/** An empty target and an empty folder for the tool. */
export async function openCopy(bench: Bench, tool: Tool, source: string): Promise<Copy> {
  const dir = join(bench.scratch, `${tool.name}-${++copies}`);
  await mkdir(dir, { recursive: true });
  const place: Place = { source, target: await bench.createDatabase('target'), dir, toolsDir: bench.toolsDir };
  await tool.prepare(place);
  let runs = 0;
  let failed = 0;
  return {
    tool,
    place,
    get runs() {
      return runs;
    },
    get failed() {
      return failed;
    },
    async run(options = {}) {
      const result = await runTool(tool.command(place), place, options);
      runs += 1;
      const ended = result.exitCode !== null || options.killAfterMs === undefined;
      if (ended && result.exitCode !== 0) {
        failed += 1;
        bench.log(`${tool.name}: run ${runs} failed with ${result.exitCode ?? 'a time-out'}:\n${result.output.trimEnd()}`);
      }
      return result;
    },
  };
}

const CATCH_UP_RUNS = 2;

/** What a tool has not brought over after these, with nobody writing any more, it never will. */
export async function catchUp(copy: Copy): Promise<void> {
  for (let n = 0; n < CATCH_UP_RUNS; n++) await copy.run();
}
