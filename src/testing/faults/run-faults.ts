import type { FaultTest } from './fault.ts';
import type { Pair } from './pair.ts';
import { seedFor } from './random.ts';
import { openTrial } from './trial.ts';
import type { Trial, TrialCounts } from './trial.ts';

export interface FaultOutcome {
  readonly pair: string;
  readonly fault: string;
  /** `absent`: the pair lacks what the fault needs. */
  readonly verdict: 'kept' | 'not kept' | 'absent';
  /** What was not kept, or why it was not tried. */
  readonly findings: readonly string[];
  readonly counts?: TrialCounts;
  readonly seed: number;
  readonly durationMs: number;
}

export interface RunFaultsOptions {
  readonly pairs: readonly Pair[];
  readonly faults: readonly FaultTest[];
  readonly seed: number;
  /** Trials at the same time. Default: 1. */
  readonly concurrency?: number;
  /** Multiplies the time that faults take to choose what else to try. Default: 1. */
  readonly patience?: number;
  /** Called before each trial. */
  readonly onStart?: (trial: { readonly pair: string; readonly fault: string }) => void;
  readonly onOutcome?: (outcome: FaultOutcome) => void;
}

/** Tries every fault on every pair. Outcomes are in the order of pairs, then faults. */
export async function runFaults(options: RunFaultsOptions): Promise<FaultOutcome[]> {
  const work = options.pairs.flatMap((pair) => options.faults.map((fault) => ({ pair, fault })));
  const outcomes: FaultOutcome[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < work.length; index = next++) {
      const { pair, fault } = work[index] as (typeof work)[number];
      options.onStart?.({ pair: pair.name, fault: fault.name });
      const outcome = await tryFault(pair, fault, { seed: options.seed, patience: options.patience ?? 1 });
      outcomes[index] = outcome;
      options.onOutcome?.(outcome);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency ?? 1 }, worker));
  return outcomes;
}

async function tryFault(pair: Pair, fault: FaultTest, { seed, patience }: { seed: number; patience: number }): Promise<FaultOutcome> {
  const startedAt = performance.now();
  const outcome = (of: Pick<FaultOutcome, 'verdict' | 'findings' | 'counts'>): FaultOutcome => ({
    pair: pair.name,
    fault: fault.name,
    ...of,
    seed,
    durationMs: Math.round(performance.now() - startedAt),
  });
  const lacking = fault.needs.flatMap((need) => pair.lacks[need] ?? []);
  if (lacking.length > 0) return outcome({ verdict: 'absent', findings: lacking });
  const { budgetMs = 30_000, ...settings } = fault.settings ?? {};
  const own = seedFor(seed, `${pair.name} ${fault.name}`);
  const findings: string[] = [];
  let trial: Trial | null = null;
  try {
    trial = await openTrial({ pair, needs: fault.needs, seed: own, ...settings, budgetMs: budgetMs * patience });
    await fault.run(trial);
  } catch (error) {
    findings.push(`it could not be tried to its end: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    await trial?.close();
  }
  findings.unshift(...(trial?.findings ?? []));
  return outcome({ verdict: findings.length === 0 ? 'kept' : 'not kept', findings, ...(trial === null ? {} : { counts: trial.counts }) });
}
