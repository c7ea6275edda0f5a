import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import type { Measured } from '../measure.ts';

/** A folder with a config for one job. */
export interface JobFolder {
  readonly dir: string;
  /** Without anything of an earlier run beside the target. */
  fresh(): Promise<void>;
}

export interface JobText {
  readonly name: string;
  /** Under `jobs:`, indented by two. */
  readonly job: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly connections?: string;
}

export async function jobFolder(bench: Bench, { name, job, files = {}, connections }: JobText): Promise<JobFolder> {
  const dir = join(bench.scratch, name);
  await mkdir(dir, { recursive: true });
  // What a job does not use would be loaded and checked all the same.
  const mongo =
    bench.mongodb === null || !/: documents\b/.test(job)
      ? ''
      : `  documents: { connector: mongodb, url: "${bench.mongodb}", database: bench }\n`;
  const text = `connections:\n  source: { connector: postgres, url: "${bench.postgres.source}" }\n  target: { connector: postgres, url: "${bench.postgres.target}" }\n${mongo}${connections ?? ''}jobs:\n${job}\n`;
  await writeFile(join(dir, 'trueup.yaml'), text);
  for (const [file, content] of Object.entries(files)) await writeFile(join(dir, file), content);
  return { dir, fresh: () => rm(join(dir, '.trueup'), { recursive: true, force: true }) };
}

interface StreamCounts {
  readonly read: number;
  readonly upserted: number;
  readonly unchanged: number;
  readonly deleted: number;
}

/** The counts of the first stream that `run --json` printed. */
export function counted({ stdout }: Measured): StreamCounts {
  const report = JSON.parse(stdout) as { jobs: { streams: StreamCounts[] }[] };
  const stream = report.jobs[0]?.streams[0];
  if (stream === undefined) throw new Error(`no stream in the report: ${stdout.slice(0, 500)}`);
  return stream;
}

/** @throws when a count is another one */
export function expectCounts(measured: Measured, expected: Partial<StreamCounts>): void {
  const counts = counted(measured);
  for (const [name, value] of Object.entries(expected))
    if (counts[name as keyof StreamCounts] !== value)
      throw new Error(`${name} is ${counts[name as keyof StreamCounts]}, expected ${value}: ${measured.stdout}`);
}
