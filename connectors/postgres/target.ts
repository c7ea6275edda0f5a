import type { ConnectorContext, Target } from '../../src/sdk.ts';
import { STORE_SCHEMA, openCheckpoints } from './store/checkpoints.ts';
import { applyPlan } from './ddl/apply.ts';
import { planTarget } from './ddl/plan.ts';
import { openLane } from './lane/lane.ts';
import type { PostgresOptions } from './options.ts';
import { postgresSource } from './source.ts';
import { openSession, resolveServer, withReading, withSession } from './session/session.ts';
import { readIdentity } from './session/server-facts.ts';
import { storeTables } from './store/schema.ts';
import { targetReads } from './target-read.ts';
import { readWrittenBy } from './store/written-by.ts';

/** Tables of a Postgres database, with the checkpoints of what is written in its schema `trueup`. */
export function openPostgresTarget(options: PostgresOptions, context: ConnectorContext): Target {
  const server = resolveServer(options, context);
  const checkpoints = openCheckpoints({ server, schema: STORE_SCHEMA, atomic: true });
  const tables = postgresSource({ server, pids: new Set() });
  /** The session that `plan` is going to read with. */
  let ahead: Promise<void> = Promise.resolve();

  return {
    identity: (signal) => withReading(server, signal, readIdentity),
    writes: 'state',
    ops: new Set(['upsert', 'patch', 'delete', 'truncate'] as const),
    replacesWithin: true,
    checkpoints,
    connectAhead: (signal) => {
      checkpoints.connectAhead(signal);
      ahead = withReading(server, signal, () => Promise.resolve()).catch(() => undefined);
    },
    plan: async (streams, signal) => {
      await ahead;
      return withReading(server, signal, (session) =>
        planTarget(session, { streams, defaultSchema: options.schema, storeSchema: STORE_SCHEMA }),
      );
    },
    apply: (plan, signal) => withSession(server, { purpose: 'write', signal }, (session) => applyPlan(session, plan, signal)),
    openLane: async ({ owner, streams, checkpoints: kept }, signal) => {
      const session = await openSession(server, { purpose: 'write', signal });
      const leaseOwner = (asked: AbortSignal) => checkpoints.owner(owner.job, asked);
      return openLane(
        { session, owner, streams, defaultSchema: options.schema, tables: storeTables(STORE_SCHEMA), checkpoints: kept, leaseOwner },
        signal,
      );
    },
    ...targetReads(server, tables),
    writtenBy: (stream, key, signal) =>
      withReading(server, signal, (session) =>
        readWrittenBy(session, { stream, key, defaultSchema: options.schema, tables: storeTables(STORE_SCHEMA) }),
      ),
    close: async () => {
      await ahead;
      await Promise.all([checkpoints.close(), tables.close()]);
    },
  };
}
