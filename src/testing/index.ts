import { describe, it } from 'vitest';
import type { Check, OpenFixture } from './check.ts';
import { sourceChecks } from './source-checks.ts';
import type { SourceFixture } from './source-fixture.ts';
import { storeChecks } from './store-checks.ts';
import type { StoreFixture } from './store-fixture.ts';
import { targetChecks } from './target-checks.ts';
import type { TargetFixture } from './target-fixture.ts';

/*
 * The contract suites, for connectors of this project and of others: call one inside `describe` of a vitest file. The checks are also there as
 * plain lists, for other test runners.
 */

export type { Check, OpenFixture } from './check.ts';
export type { SourceFixture, TestRecord, TestTransaction } from './source-fixture.ts';
export type { StoreFixture } from './store-fixture.ts';
export type { TargetFixture } from './target-fixture.ts';
export { sourceChecks } from './source-checks.ts';
export { storeChecks } from './store-checks.ts';
export { targetChecks } from './target-checks.ts';

export function sourceContract(open: OpenFixture<SourceFixture>): void {
  register('every source', sourceChecks, open);
}

export function targetContract(open: OpenFixture<TargetFixture>): void {
  register('every target', targetChecks, open);
}

export function checkpointStoreContract(open: OpenFixture<StoreFixture>): void {
  register('every checkpoint store', storeChecks, open);
}

function register<Fixture extends { close(): Promise<void> }>(
  title: string,
  checks: readonly Check<Fixture>[],
  open: OpenFixture<Fixture>,
): void {
  describe(title, () => {
    for (const check of checks) {
      it(check.name, async ({ skip }) => {
        const fixture = await open();
        try {
          const reason = check.skip?.(fixture) ?? null;
          if (reason !== null) skip(reason);
          await check.run(fixture);
        } finally {
          await fixture.close();
        }
      });
    }
  });
}
