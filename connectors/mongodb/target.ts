import type { ConnectorContext, Target } from '../../src/sdk.ts';
import { readIdentity } from './identity.ts';
import { openAtomicLane } from './lane/atomic.ts';
import { openLane } from './lane/lane.ts';
import type { MongoOptions } from './options.ts';
import { openSession } from './session.ts';
import { holdsLease, register, unregister } from './store/lanes.ts';
import { openStoreContext } from './store/transaction.ts';
import { openStore } from './store/store.ts';
import { applyTarget, planTarget } from './target-plan.ts';
import { targetReads } from './target-read.ts';

/** Collections of a database, with the checkpoints of what is written in collections beside them. */
export function openMongoTarget(options: MongoOptions, context: ConnectorContext): Target {
  const session = openSession(options, context);
  const store = openStoreContext(session);

  return {
    identity: (signal) => readIdentity(session, signal),
    writes: 'state',
    ops: new Set(['upsert', 'patch', 'delete', 'truncate'] as const),
    replacesWithin: true,
    checkpoints: openStore(store),
    nameFor: (stream) => stream.slice(stream.indexOf('.') + 1),
    plan: (streams, signal) => planTarget(session, streams, signal),
    apply: (plan, signal) => applyTarget(session, plan, signal),
    openLane: async ({ owner, streams, checkpoints }, signal) => {
      const lane = await session.run(signal, (_db, client) => Promise.resolve(client.startSession({ causalConsistency: false })));
      let registered = false;
      const end = async (): Promise<void> => {
        if (registered) await unregister(store, lane).catch(() => undefined);
        await lane.endSession().catch(() => undefined);
      };
      try {
        if (checkpoints || (await holdsLease(store, owner, signal))) {
          await register(store, lane, owner, signal);
          registered = true;
        }
      } catch (error) {
        await end();
        throw error;
      }
      const init = { session, lane, streams, end };
      return checkpoints ? openAtomicLane({ ...init, store, owner }) : openLane(init);
    },
    ...targetReads(session),
    close: () => session.close(),
  };
}
