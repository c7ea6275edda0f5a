import type { Ended } from './command.ts';
import { JOB } from './folder.ts';

interface PrintedVerify {
  readonly consistent: boolean;
  readonly streams: readonly { readonly stream: string; readonly missing: number; readonly extra: number; readonly different: number }[];
  readonly error?: { readonly code: string; readonly message: string };
}

/** What `trueup verify` finds, a line per stream that differs. The comparison of the pair itself is the first opinion; both have to agree. */
export async function secondOpinion(run: (args: readonly string[]) => Promise<Ended>): Promise<string[]> {
  const { code, signal, stdout, stderr } = await run(['verify', JOB, '--json', '--log-level', 'error']);
  const report = parse(stdout);
  if (report === null || (code !== 0 && code !== 4))
    return [`trueup verify ended with ${String(signal ?? code)}: ${`${stdout}\n${stderr}`.trim().slice(-1_500)}`];
  if (report.consistent !== (code === 0)) return [`trueup verify says consistent: ${report.consistent} and ends with ${code}`];
  if (report.consistent) return [];
  return report.streams.map(
    ({ stream, missing, extra, different }) => `trueup verify, ${stream}: ${missing} missing, ${extra} extra, ${different} different`,
  );
}

function parse(stdout: string): PrintedVerify | null {
  try {
    const parsed = JSON.parse(stdout) as Partial<PrintedVerify>;
    return typeof parsed.consistent === 'boolean' ? (parsed as PrintedVerify) : null;
  } catch {
    return null;
  }
}
