import type { Check } from './check.ts';
import type { SourceFixture } from './source-fixture.ts';

/** What every source must do. */
export const sourceChecks: readonly Check<SourceFixture>[] = [];
