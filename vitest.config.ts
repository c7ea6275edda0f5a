import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Example connectors import trueup by its published names; in the checkout these are the sources.
    alias: [
      { find: /^trueup$/, replacement: here('src/index.ts') },
      { find: /^trueup\/sdk$/, replacement: here('src/sdk.ts') },
      { find: /^trueup\/testing$/, replacement: here('src/testing/index.ts') },
      { find: /^trueup\/testing\/faults$/, replacement: here('src/testing/faults/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
    globalSetup: ['test/servers/global-setup.ts'],
    // Real servers and child processes share the machine with the tests: one worker per core, and time to breathe.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
