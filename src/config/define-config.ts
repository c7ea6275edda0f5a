import type { Config } from './schema.ts';

/** Types a config that is written as a program: `export default defineConfig({ … })` in `trueup.config.ts`. Checks nothing by itself. */
export function defineConfig(config: Config): Config {
  return config;
}

export type { Config };
