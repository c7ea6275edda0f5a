import type { Need } from './pair.ts';
import type { Trial, TrialOptions } from './trial.ts';

/** One thing that may go wrong, and how it is tried. What is not as promised ends among the findings of the trial. */
export interface FaultTest {
  /** For the table and `--fault`: `kill-steps`. */
  readonly name: string;
  /** One line: what goes wrong. */
  readonly summary: string;
  readonly needs: readonly Need[];
  readonly settings?: Pick<TrialOptions, 'records' | 'batchRows' | 'budgetMs' | 'defaults' | 'job'>;
  run(trial: Trial): Promise<void>;
}
