import type { Check } from './check.ts';
import { leaseChecks } from './store-lease-checks.ts';
import type { StoreFixture } from './store-fixture.ts';
import { savingChecks } from './store-saving-checks.ts';

/** What every checkpoint store must do. */
export const storeChecks: readonly Check<StoreFixture>[] = [...leaseChecks, ...savingChecks];
