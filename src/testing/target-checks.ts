import type { Check } from './check.ts';
import { commitChecks } from './target-commit-checks.ts';
import { convergenceChecks } from './target-convergence-checks.ts';
import { faultChecks } from './target-fault-checks.ts';
import type { TargetFixture } from './target-fixture.ts';
import { targetPlanChecks } from './target-plan-checks.ts';
import { targetProofChecks } from './target-proof-checks.ts';
import { targetReadChecks } from './target-read-checks.ts';
import { valueChecks } from './target-value-checks.ts';
import { writeChecks } from './target-write-checks.ts';

/** What every target must do. Of one that lines are appended to (`writes: 'log'`), what it holds is what the last line of each key says. */
export const targetChecks: readonly Check<TargetFixture>[] = [
  ...targetPlanChecks,
  ...writeChecks,
  ...convergenceChecks,
  ...commitChecks,
  ...faultChecks,
  ...valueChecks,
  ...targetReadChecks,
  ...targetProofChecks,
];
