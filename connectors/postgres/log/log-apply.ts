import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from '../../../src/sdk.ts';
import type { SourcePlan } from '../../../src/sdk.ts';
import { readBlocker } from '../session/blocker.ts';
import { quoteRelation } from '../quote.ts';
import type { RelationName } from '../quote.ts';
import { withReading, withSession } from '../session/session.ts';
import type { Server, Session } from '../session/session.ts';

/** Makes the publication what the plan says. @throws {TrueupError} `E_ACCESS` where the role may not */
export async function applyLog(server: Server, plan: SourcePlan, signal: AbortSignal): Promise<void> {
  const statements = [...new Set(plan.streams.flatMap((stream) => stream.statements))];
  if (statements.length === 0) return;
  await withSession(server, { purpose: 'write', signal }, async (session) => {
    for (const statement of statements) {
      // Another job, or an earlier try whose answer was lost, may have done it.
      if (!(await isDone(session, statement))) await session.query(statement);
    }
  });
}

async function isDone(session: Session, statement: string): Promise<boolean> {
  const name = /^create publication ("(?:[^"]|"")+") /.exec(statement)?.[1];
  if (name === undefined) return false;
  const [row] = await session.query(
    'select from pg_catalog.pg_publication p where pg_catalog.quote_ident(p.pubname) in ($1, pg_catalog.btrim($1, $2))',
    [name, '"'],
  );
  return row !== undefined;
}

const LOOK_MS = 50;

/**
 * Waits for the transactions that hold a lock for writing on a table. One that wrote to it before the table was published is in the log without that, so whoever
 * loads the table then must see what it wrote.
 *
 * @throws {TrueupError} `E_BUSY` when they take longer than `log.slotTimeout`
 */
export async function awaitWriters(server: Server, relation: RelationName, signal: AbortSignal): Promise<void> {
  const until = performance.now() + server.options.log.slotTimeout;
  let waitsFor: readonly string[] | null = null;
  for (;;) {
    const writers: readonly string[] = await withReading(server, signal, (session) => readWriters(session, relation));
    const left: readonly string[] = waitsFor === null ? writers : waitsFor.filter((one) => writers.includes(one));
    if (left.length === 0) return;
    waitsFor = left;
    if (performance.now() > until) throw await busy(server, relation, signal);
    await sleep(LOOK_MS, undefined, { signal });
  }
}

/** Virtual transactions, and prepared ones, which have lost theirs. */
async function readWriters(session: Session, relation: RelationName): Promise<string[]> {
  const rows = await session.query(
    `select distinct l.virtualtransaction from pg_catalog.pg_locks l
      where l.locktype = 'relation' and l.granted and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
        and l.relation in (select pg_catalog.to_regclass($1)::pg_catalog.oid union all select t.relid::pg_catalog.oid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) t)`,
    [quoteRelation(relation)],
  );
  return rows.map(([vxid]) => vxid as string);
}

async function busy(server: Server, relation: RelationName, signal: AbortSignal): Promise<TrueupError> {
  const blocker = await withReading(server, signal, (session) =>
    readBlocker(session, { ownPids: new Set(), minAgeMs: 0, stream: `${relation.schema}.${relation.name}`, relation }),
  );
  return new TrueupError(
    'E_BUSY',
    `${quoteRelation(relation)} was added to the log and cannot be loaded yet: it waits for ${blocker?.by ?? 'a transaction that has written to it'}${blocker?.since === undefined ? '' : ` since ${blocker.since}`}.`,
    { hint: 'End that transaction, or raise `log.slotTimeout` of the connection.' },
  );
}
