import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { CheckpointStore } from '../../../src/sdk.ts';
import type { Server, Session } from '../session/session.ts';
import { sessionSlot } from '../session/slot.ts';
import { fence, writeChange } from './change.ts';
import { acquireLease, leaseOwner, releaseLease, renewLease } from './lease.ts';
import { isMissing } from './missing.ts';
import { readCheckpoints, readLetters } from './read.ts';
import { STORE_VERSION, migrate, schemaStatements, storeTables } from './schema.ts';
import { inTransaction } from '../session/transaction.ts';

/** The schema of the target that holds its checkpoints. */
export const STORE_SCHEMA = 'trueup';

export interface StoreInit {
  readonly server: Server;
  readonly schema: string;
  /** Whether lanes of the same database commit rows and checkpoints together. */
  readonly atomic: boolean;
}

/**
 * Checkpoints, leases and letters in a schema of a Postgres database. The tables are made on the first `acquire`; until then everything reads
 * as empty. Leases have a session of their own, so that a renewal never waits behind a large save.
 */
export function openCheckpoints({ server, schema, atomic }: StoreInit): CheckpointStore & { connectAhead(signal: AbortSignal): void } {
  const tables = storeTables(schema);
  const leases = sessionSlot(server);
  const data = sessionSlot(server);
  let migrated = false;

  return {
    atomic,
    /** Of checkpoints and letters. What goes wrong is told by their first use. */
    connectAhead: (signal) => void data.use(signal, () => Promise.resolve()).catch(() => undefined),
    acquire: (request, signal) =>
      leases.use(signal, async (session) => {
        if (!migrated) await prepareStore(session, schema);
        migrated = true;
        return acquireLease(session, tables, request);
      }),
    renew: (owner, signal) => leases.use(signal, (session) => renewLease(session, tables, owner)),
    release: (owner, signal) => leases.use(signal, (session) => releaseLease(session, tables, owner)),
    owner: (job, signal) =>
      leases.use(signal, (session) =>
        leaseOwner(session, tables, job).catch((error: unknown) => {
          if (isMissing(error)) return null;
          throw error;
        }),
      ),
    save: (owner, what, signal) =>
      data.use(signal, (session) =>
        inTransaction(session, async () => {
          await fence(session, tables, owner);
          return writeChange(session, tables, owner.job, what);
        }),
      ),
    list: (job, signal) => data.use(signal, (session) => readCheckpoints(session, tables, job)),
    letters: (filter, signal) => data.use(signal, (session) => readLetters(session, tables, filter)),
    close: async () => {
      await Promise.all([leases.close(), data.close()]);
    },
  };
}

/** Makes or updates the store's tables. @throws {TrueupError} `E_ACCESS` with the statements for an administrator, and the alternative */
export async function prepareStore(session: Session, schema: string): Promise<void> {
  const found = await migrate(session, schema).catch(async (error: unknown) => {
    if (!isTrueupError(error) || error.code !== 'E_ACCESS') throw error;
    const [row] = await session.query('select current_user::text');
    const statements = schemaStatements(schema, row?.[0] as string);
    throw new TrueupError('E_ACCESS', `The schema '${schema}' for checkpoints cannot be made: ${error.message}`, {
      cause: error,
      hint: `Let an administrator run: ${statements.join('; ')}. Or keep the checkpoints in the state store: \`checkpoints: state\` on the job.`,
      statements,
    });
  });
  if (found <= STORE_VERSION) return;
  throw new TrueupError('E_STATE', `The schema '${schema}' has version ${found}; this trueup knows versions up to ${STORE_VERSION}.`, {
    hint: 'Update trueup on this machine.',
  });
}
