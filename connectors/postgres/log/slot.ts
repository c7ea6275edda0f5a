import { TrueupError } from '../../../src/sdk.ts';
import type { Session } from '../session/session.ts';
import { parseLsn } from './lsn.ts';
import type { Lsn } from './lsn.ts';

/** A replication slot as the server shows it. */
export interface Slot {
  readonly name: string;
  readonly plugin: string | null;
  readonly database: string | null;
  /** The backend that reads from it. */
  readonly activePid: number | null;
  /** Where it goes on: every commit before was confirmed. */
  readonly confirmed: Lsn | null;
  /** Bytes of log that the server keeps for it. */
  readonly retainedBytes: number;
  /** Bytes of log that are not confirmed. */
  readonly behindBytes: number;
  /** `reserved`, `extended`, `unreserved`, `lost`. */
  readonly walStatus: string | null;
  /** Bytes that may still be written before it is in danger; `null`: without a limit. */
  readonly safeBytes: number | null;
  /** Why it cannot be read any more; `null`: it can. */
  readonly lostBecause: string | null;
}

const SLOTS = `
select s.slot_name::text, s.plugin::text, s.database::text, s.active_pid::text, s.confirmed_flush_lsn::text,
       pg_catalog.pg_wal_lsn_diff(l.lsn, s.restart_lsn)::text, pg_catalog.pg_wal_lsn_diff(l.lsn, s.confirmed_flush_lsn)::text,
       s.wal_status, s.safe_wal_size::text,
       coalesce(pg_catalog.to_json(s) ->> 'invalidation_reason', case when pg_catalog.to_json(s) ->> 'conflicting' = 'true' then 'conflict with recovery' end,
                case when s.wal_status = 'lost' then 'its log was removed' end)
  from pg_catalog.pg_replication_slots s,
       (select case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn() else pg_catalog.pg_current_wal_lsn() end) l(lsn)
 where s.slot_type = 'logical' and ($1::text is null or s.slot_name = $1)
 order by s.slot_name`;

export async function readSlots(session: Session, name: string | null): Promise<Slot[]> {
  const rows = await session.query(SLOTS, [name]);
  return rows.map((row) => {
    const [slot, plugin, database, pid, confirmed, retained, behind, walStatus, safe, lostBecause] = row as (string | null)[];
    return {
      name: slot as string,
      plugin: plugin ?? null,
      database: database ?? null,
      activePid: pid === null || pid === undefined ? null : Number(pid),
      confirmed: confirmed === null || confirmed === undefined ? null : parseLsn(confirmed),
      retainedBytes: Math.max(0, Number(retained ?? 0)),
      behindBytes: Math.max(0, Number(behind ?? 0)),
      walStatus: walStatus ?? null,
      safeBytes: safe === null || safe === undefined ? null : Number(safe),
      lostBecause: lostBecause ?? null,
    };
  });
}

export async function readSlot(session: Session, name: string): Promise<Slot | null> {
  const [slot] = await readSlots(session, name);
  return slot ?? null;
}

/** How long a slot is waited for that its last reader is just leaving (ms). */
const LEAVING_MS = 5000;

/**
 * Ends whoever still reads from the slot. The job that owns it has been taken over, so that is a process which was cut off without noticing.
 *
 * @throws {TrueupError} `E_BUSY` when the reader is somebody else's
 */
export async function freeSlot(session: Session, name: string): Promise<void> {
  const until = performance.now() + LEAVING_MS;
  for (;;) {
    const [row] = await session.query(
      `select s.active_pid::text, a.application_name like 'trueup/%' and a.usename = current_user, a.application_name, a.usename::text
         from pg_catalog.pg_replication_slots s left join pg_catalog.pg_stat_activity a on a.pid = s.active_pid
        where s.slot_name = $1 and s.active_pid is not null`,
      [name],
    );
    if (row === undefined) return;
    const [pid, ours, application, user] = row;
    if (ours === 't') await session.query('select pg_catalog.pg_terminate_backend($1::int4)', [pid ?? null]);
    if (performance.now() > until)
      throw new TrueupError(
        'E_BUSY',
        `Replication slot '${name}' is in use by pid ${pid ?? ''} (${application ?? 'unknown'}, user ${user ?? 'unknown'}).`,
        {
          hint: 'A slot can be read by one process alone: end the other one, or name another slot with `log: { slot: … }` on the connection.',
        },
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function dropSlot(session: Session, name: string): Promise<boolean> {
  if ((await readSlot(session, name)) === null) return false;
  await freeSlot(session, name);
  await session.query(
    'select pg_catalog.pg_drop_replication_slot(s.slot_name) from pg_catalog.pg_replication_slots s where s.slot_name = $1',
    [name],
  );
  return true;
}
