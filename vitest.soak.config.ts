import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** The long tests: minutes of mixed load. `npm run soak`, not part of `npm test`. */
export default defineConfig({
  ...base,
  // Not merged: a merge would join both lists of files, and run the whole of `npm test` too.
  test: { ...base.test, include: ['test/**/*.soak.ts'], testTimeout: 20 * 60_000, hookTimeout: 120_000, fileParallelism: false },
});
