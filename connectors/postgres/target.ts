import type { ConnectorContext, Target } from '../../src/sdk.ts';
import { STORE_SCHEMA, openCheckpoints } from './checkpoints.ts';
import { applyPlan } from './ddl-apply.ts';
import { planTarget, tableOf } from './ddl-plan.ts';
import { openLane } from './lane.ts';
import type { PostgresOptions } from './options.ts';
import { parseStreamName } from './quote.ts';
import { openSession, resolveServer, withSession } from './session.ts';
import { readIdentity } from './server-facts.ts';
import { storeTables } from './store-schema.ts';
import { readTables } from './target-table.ts';
import type { TargetTable } from './target-table.ts';

/** Tables of a Postgres database, with the checkpoints of what is written in its schema `trueup`. */
export function openPostgresTarget(options: PostgresOptions, context: ConnectorContext): Target {
  const server = resolveServer(options, context);
  const checkpoints = openCheckpoints({ server, schema: STORE_SCHEMA, atomic: true });

  return {
    identity: (signal) => withSession(server, { purpose: 'read', signal }, readIdentity),
    writes: 'state',
    ops: new Set(['upsert', 'patch', 'delete', 'truncate'] as const),
    checkpoints,
    plan: (streams, signal) =>
      withSession(server, { purpose: 'read', signal }, (session) =>
        planTarget(session, { streams, defaultSchema: options.schema, storeSchema: STORE_SCHEMA }),
      ),
    apply: (plan, signal) => withSession(server, { purpose: 'write', signal }, (session) => applyPlan(session, plan, signal)),
    openLane: async ({ owner, streams, checkpoints: kept }, signal) => {
      const session = await openSession(server, { purpose: 'write', signal });
      const relations = streams.map((stream) => ({ stream, relation: parseStreamName(stream.target, options.schema) }));
      const tables = await session
        .run(
          signal,
          async () =>
            (
              await readTables(
                session,
                relations.flatMap(({ relation }) => relation ?? []),
              )
            ).tables,
        )
        .catch(async (error: unknown) => {
          await session.close();
          throw error;
        });
      const found = relations.map(({ stream, relation }): { stream: typeof stream; table: TargetTable | undefined } => ({
        stream,
        table: relation === null ? undefined : tableOf(tables, relation),
      }));
      return openLane(
        {
          session,
          owner,
          streams: found,
          store: kept ? storeTables(STORE_SCHEMA) : null,
          leaseOwner: (asked) => checkpoints.owner(owner.job, asked),
        },
        signal,
      );
    },
    close: () => checkpoints.close(),
  };
}
