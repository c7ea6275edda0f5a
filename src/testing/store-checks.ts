import type { Check } from './check.ts';
import type { StoreFixture } from './store-fixture.ts';

/** What every checkpoint store must do. */
export const storeChecks: readonly Check<StoreFixture>[] = [];
