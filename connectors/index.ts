import type { Connector } from '../src/sdk.ts';

/** A module that is a connector: its default export, as of any plugin. */
export interface ConnectorModule {
  readonly default: Connector;
}

/** Every connector that comes with trueup. Literal imports: a bundler and `tsc` see them, and none is loaded before it is used. */
export const connectors: Readonly<Record<string, () => Promise<ConnectorModule>>> = {
  file: () => import('./file/index.ts'),
  memory: () => import('./memory/index.ts'),
  mongodb: () => import('./mongodb/index.ts'),
  postgres: () => import('./postgres/index.ts'),
  rest: () => import('./rest/index.ts'),
};
