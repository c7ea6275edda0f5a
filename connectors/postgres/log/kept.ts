import type { KeptInSource } from '../../../src/sdk.ts';
import { withReading } from '../session/session.ts';
import type { Server } from '../session/session.ts';
import { LOG_FEED, SLOT_PREFIX, logNames, slotStart } from './names.ts';
import { readSlots } from './slot.ts';

/** Which parts a job has is not known here: whatever could be one of them is nobody's leftover. */
function isPartOf(slot: string, job: string): boolean {
  return slot.startsWith(slotStart(job));
}

/**
 * Slots of this database with a name that only this connector gives. Whose they are cannot be seen: of a job that was removed, or of one that another installation
 * has. One that the connection names itself is nobody's leftover.
 */
export async function keptSlots(
  server: Server,
  which: { readonly notOf: readonly string[] } | { readonly of: string },
  signal: AbortSignal,
): Promise<KeptInSource[]> {
  const own = (job: string) => logNames(server, { job }).slot;
  const isMeant = (name: string): boolean =>
    'of' in which ? name === which.of || name === own(which.of) : !which.notOf.some((job) => own(job) === name || isPartOf(name, job));
  return withReading(server, signal, async (session) => {
    const [row] = await session.query('select pg_catalog.current_database()');
    const slots = await readSlots(session, null);
    return slots
      .filter(
        ({ name, database, plugin }) => database === row?.[0] && plugin === 'pgoutput' && name.startsWith(SLOT_PREFIX) && isMeant(name),
      )
      .filter(({ name }) => name !== server.options.log.slot)
      .map(({ name, activePid, retainedBytes }) => ({
        name,
        kind: 'replication slot',
        inUse: activePid !== null,
        retainedBytes,
        feed: { id: LOG_FEED, kind: 'changes', streams: [], known: { slot: name, publication: name } },
      }));
  });
}
