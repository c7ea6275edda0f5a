import type { Session } from '../session/session.ts';

/*
 * Fences: how it is known that no late commit can come below a position. (Measured; see docs/guarantees.md.)
 *
 * A fence is a value `u` of the cursor column and the transactions that were open after `u` was read. It has passed when none of them is open
 * any more and no prepared transaction exists: every row stamped at or below `u` is then committed or gone. The order of the steps is what
 * makes it right: first `u`, then the open transactions; first pg_locks, then pg_prepared_xacts (PREPARE enters the second before it leaves
 * the first); and only then the snapshot that reads.
 */

export interface Fence {
  /** In the cursor column's own text. */
  readonly u: string;
  /** Virtual transaction ids, `backend/local`. */
  readonly vxids: readonly string[];
}

export interface OpenTransactions {
  readonly vxids: ReadonlySet<string>;
  /** Whether this database has a prepared transaction. Its virtual id has changed, so it may belong to any fence. */
  readonly prepared: boolean;
}

/** Fences by what has become of them. */
export interface SettledFences<F extends Fence> {
  /** The newest that has passed. */
  readonly passed: F | null;
  /** Those taken after it, reduced to the transactions that are still open; oldest first. */
  readonly pending: readonly F[];
}

/** @param fences oldest first */
export function settleFences<F extends Fence>(fences: readonly F[], open: OpenTransactions): SettledFences<F> {
  let passed: F | null = null;
  let pending: F[] = [];
  for (const fence of fences) {
    const vxids = fence.vxids.filter((vxid) => open.vxids.has(vxid));
    if (vxids.length > 0 || open.prepared) {
      pending.push({ ...fence, vxids });
    } else {
      passed = fence;
      pending = []; // what is older has passed as well
    }
  }
  return { passed, pending };
}

/** At most this many open transactions are kept in a cursor; a larger fence is not stored, and the floor stays where it is. */
const MAX_STORED = 1500;

/** The two fences worth keeping in a cursor: the oldest, which passes first, and the newest, which leads furthest. */
export function storedFences(pending: readonly Fence[]): Fence[] {
  const small = pending.filter((fence) => fence.vxids.length <= MAX_STORED);
  const first = small[0];
  const last = small.at(-1);
  if (first === undefined || last === undefined) return [];
  return (first === last ? [first] : [first, last]).map(({ u, vxids }) => ({ u, vxids }));
}

/**
 * Transactions that may still write to this database. Not among them: our own, those of other databases, and VACUUM workers (which have no
 * user). Visible to every role.
 */
const OPEN = `
select l.virtualtransaction, l.pid::text
  from pg_catalog.pg_locks l
  left join pg_catalog.pg_stat_activity a on a.pid = l.pid
 where l.locktype in ('virtualxid', 'transactionid') and l.mode = 'ExclusiveLock' and l.granted
   and l.pid is not null and l.pid <> pg_catalog.pg_backend_pid()
   and (a.pid is null or (a.usesysid is not null
        and (a.datid is null or a.datid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()))))`;

const PREPARED = `select exists (select from pg_catalog.pg_prepared_xacts p where p.database = pg_catalog.current_database())`;

/** @param ownPids backends of the same process that only read */
export async function readOpenTransactions(session: Session, ownPids: ReadonlySet<number>): Promise<OpenTransactions> {
  const locks = await session.query(OPEN);
  const [prepared] = await session.query(PREPARED);
  const vxids = new Set(locks.filter(([, pid]) => !ownPids.has(Number(pid))).map(([vxid]) => vxid as string));
  return { vxids, prepared: prepared?.[0] === 't' };
}
