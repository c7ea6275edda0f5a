import type { Connection, ResolvedConfig } from './config/resolved.ts';
import { TrueupError } from './errors.ts';
import type { Connector, ConnectorContext, Log } from './model/connector.ts';
import type { Source, Target } from './model/contracts.ts';

/** Sources and targets by connection, each opened once and shared by all jobs. */
export interface Connections {
  connector(name: string): Connector;
  source(name: string): Source;
  target(name: string): Target;
  close(): Promise<void>;
}

export interface ConnectionParts {
  readonly config: ResolvedConfig;
  /** By connection. */
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly log: Log;
}

/** Opens nothing yet: a connector connects on first use. */
export function createConnections({ config, connectors, log }: ConnectionParts): Connections {
  const sources = new Map<string, Source>();
  const targets = new Map<string, Target>();
  const connector = (name: string): Connector => connectors.get(name) as Connector;
  const connection = (name: string): Connection => {
    const found = config.connections.get(name);
    if (found === undefined)
      throw new TrueupError('E_USAGE', `there is no connection '${name}'. Connections: ${[...config.connections.keys()].join(', ')}`);
    return found;
  };
  const context = (name: string): ConnectorContext => ({ connection: name, log, baseDir: config.baseDir });
  return {
    connector,
    source(name) {
      const opened = sources.get(name) ?? connector(connection(name).name).openSource?.(connection(name).options, context(name));
      if (opened === undefined)
        throw new TrueupError('E_CONFIG_INVALID', `connection '${name}': connector '${connector(name).name}' cannot be a source`);
      sources.set(name, opened);
      return opened;
    },
    target(name) {
      const opened = targets.get(name) ?? connector(connection(name).name).openTarget?.(connection(name).options, context(name));
      if (opened === undefined)
        throw new TrueupError('E_CONFIG_INVALID', `connection '${name}': connector '${connector(name).name}' cannot be a target`);
      targets.set(name, opened);
      return opened;
    },
    async close() {
      await Promise.allSettled([...sources.values(), ...targets.values()].map((one) => one.close()));
    },
  };
}
