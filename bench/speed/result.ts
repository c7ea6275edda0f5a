import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const RESULTS_DIR = fileURLToPath(new URL('../results', import.meta.url));

export interface RunFigures {
  readonly wallMs: number;
  readonly cpuMs?: number;
  readonly serverCpuMs?: Readonly<Record<string, number>>;
  readonly rssBytes?: number;
  readonly notes?: Readonly<Record<string, number>>;
}

export interface CaseResult {
  readonly case: string;
  readonly title: string;
  readonly rows: number;
  readonly reference: string;
  readonly target?: number;
  readonly machine: {
    readonly cpus: number;
    readonly model: string;
    readonly memoryBytes: number;
    readonly node: string;
    readonly postgres: string;
    readonly loadAtStart: number;
  };
  readonly measuredAt: string;
  /** Per contender, a run each round. */
  readonly contenders: Readonly<Record<string, readonly RunFigures[]>>;
}

export async function writeResult(result: CaseResult): Promise<void> {
  await mkdir(RESULTS_DIR, { recursive: true });
  await writeFile(join(RESULTS_DIR, `speed-${result.case}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

export async function readResults(): Promise<CaseResult[]> {
  const files = (await readdir(RESULTS_DIR)).filter((name) => /^speed-.*\.json$/.test(name));
  return Promise.all(files.map(async (name) => JSON.parse(await readFile(join(RESULTS_DIR, name), 'utf8')) as CaseResult));
}

/** Of a contender's runs, each set beside the reference's run of the same round. */
export interface Summary {
  readonly name: string;
  readonly wallMs: Spread;
  readonly ratio: Spread | null;
  readonly cpuRatio: Spread | null;
  readonly cpuMs: number | null;
  readonly rssBytes: number | null;
  readonly rowsPerSecond: number | null;
  readonly notes: Readonly<Record<string, number>>;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summaries(result: CaseResult): Summary[] {
  const reference = result.contenders[result.reference] ?? [];
  return Object.entries(result.contenders).map(([name, runs]) => {
    const wallMs = spread(runs.map((run) => run.wallMs));
    const ratios = runs.flatMap((run, round) => (reference[round] === undefined ? [] : [run.wallMs / reference[round].wallMs]));
    // All processors' time, servers included: it moves less with the load of the machine than wall time does.
    const cpuRatios = runs.flatMap((run, round) => {
      const [own, other] = [totalCpu(run), reference[round] === undefined ? null : totalCpu(reference[round])];
      return own === null || other === null || other === 0 ? [] : [own / other];
    });
    const cpu = runs.flatMap((run) => run.cpuMs ?? []);
    const rss = runs.flatMap((run) => run.rssBytes ?? []);
    return {
      name,
      wallMs,
      ratio: name === result.reference || ratios.length === 0 ? null : spread(ratios),
      cpuRatio: name === result.reference || cpuRatios.length === 0 ? null : spread(cpuRatios),
      cpuMs: cpu.length === 0 ? null : spread(cpu).median,
      rssBytes: rss.length === 0 ? null : Math.max(...rss),
      rowsPerSecond: result.rows === 0 ? null : (result.rows / wallMs.median) * 1000,
      notes: runs.at(-1)?.notes ?? {},
    };
  });
}

function totalCpu({ cpuMs, serverCpuMs }: RunFigures): number | null {
  if (cpuMs === undefined || serverCpuMs === undefined) return null;
  return cpuMs + Object.values(serverCpuMs).reduce((sum, ms) => sum + ms, 0);
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return { median: median ?? 0, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}
