import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** The long tests: minutes of mixed load. `npm run soak`, not part of `npm test`. */
export default mergeConfig(
  base,
  defineConfig({ test: { include: ['test/**/*.soak.ts'], testTimeout: 20 * 60_000, hookTimeout: 120_000, fileParallelism: false } }),
);
