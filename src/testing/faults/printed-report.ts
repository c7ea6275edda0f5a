/** What the kit reads of a report under `--json`. It looks at trueup from outside, so it takes what is printed and nothing else. */
export interface PrintedReport {
  readonly exitCode: number;
  readonly jobs: readonly {
    readonly guarantee?: { readonly delivery: string };
    readonly error?: { readonly code: string; readonly message: string };
    readonly streams: readonly PrintedStream[];
  }[];
}

export interface PrintedStream {
  readonly stream: string;
  readonly read: number;
  readonly filtered: number;
  readonly coalesced: number;
  readonly upserted: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly superseded: number;
  readonly deadLettered: number;
  readonly retries: number;
  readonly error?: { readonly code: string; readonly message: string };
}

/** The report in what a command printed; `null`: it printed none. */
export function parseReport(stdout: string): PrintedReport | null {
  try {
    const parsed = JSON.parse(stdout) as Partial<PrintedReport> | null;
    return Array.isArray(parsed?.jobs) ? (parsed as PrintedReport) : null;
  } catch {
    return null;
  }
}

/** What a report says that cannot be: its sums, and its exit code beside that of the process. */
export function reportProblems(report: PrintedReport, exitCode: number | null): string[] {
  const problems = report.jobs.flatMap((job) => job.streams).flatMap(sumProblems);
  return report.exitCode === exitCode ? problems : [...problems, `the report says exit code ${report.exitCode}, the process ${exitCode}`];
}

function sumProblems(of: PrintedStream): string[] {
  const sum = of.filtered + of.coalesced + of.upserted + of.unchanged + of.deleted + of.superseded + of.deadLettered;
  if (of.read === sum) return [];
  const parts = `filtered ${of.filtered} + coalesced ${of.coalesced} + upserted ${of.upserted} + unchanged ${of.unchanged} + deleted ${of.deleted} + superseded ${of.superseded} + deadLettered ${of.deadLettered}`;
  return [`the report of ${of.stream} does not add up: read ${of.read}, but ${parts} is ${sum}`];
}
