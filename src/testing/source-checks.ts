import type { Check } from './check.ts';
import { backfillChecks } from './source-backfill-checks.ts';
import { changesChecks } from './source-changes-checks.ts';
import type { SourceFixture } from './source-fixture.ts';
import { lookupChecks } from './source-lookup-checks.ts';
import { planChecks } from './source-plan-checks.ts';
import { sourceProofChecks } from './source-proof-checks.ts';
import { resumeChecks } from './source-resume-checks.ts';
import { stopChecks } from './source-stop-checks.ts';

/** What every source must do. */
export const sourceChecks: readonly Check<SourceFixture>[] = [
  ...planChecks,
  ...changesChecks,
  ...resumeChecks,
  ...backfillChecks,
  ...lookupChecks,
  ...sourceProofChecks,
  ...stopChecks,
];
