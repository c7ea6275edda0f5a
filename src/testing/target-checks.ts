import type { Check } from './check.ts';
import type { TargetFixture } from './target-fixture.ts';

/** What every target that holds state (`writes: 'state'`) must do. */
export const targetChecks: readonly Check<TargetFixture>[] = [];
