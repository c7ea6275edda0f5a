import type { MappedBatch, Owner } from '../../../src/sdk.ts';
import type { Session } from '../session/session.ts';
import { storable } from './change.ts';
import type { StoreTables } from './schema.ts';

/*
 * Which commit wrote a row. A note of each written batch is inserted in the savepoint of the batch, so the note and the rows that the batch wrote carry
 * the same transaction id in `xmin`, and a row leads to its note for as long as nobody else writes it. A note costs one small insert for thousands of rows.
 */

/** How many notes of a job are kept, and for how long; an older id than that may come to stand for another transaction. */
export const KEPT_NOTES = { count: 100_000, days: 90, transactions: 1_000_000_000 };
/** A lane that stays open throws away old notes after so many of its own. */
export const NOTES_BETWEEN_PRUNES = 10_000;

const MAX_POSITION = 500;

/** To be called where the rows are written, behind the same savepoint. */
export async function noteBatch(session: Session, tables: StoreTables, owner: Owner, { stream, position }: MappedBatch): Promise<void> {
  const text = storable(position.text.slice(0, MAX_POSITION));
  await session.execute(
    `insert into ${tables.commits} (job, run, epoch, stream, position, at) values ($1, $2, $3, $4, $5, clock_timestamp())`,
    [storable(owner.job), storable(owner.run), String(owner.epoch), storable(stream), text],
  );
}

/** Leaves to another lane of the job what that one is throwing away just now. */
export async function pruneNotes(session: Session, tables: StoreTables, job: string, kept = KEPT_NOTES): Promise<void> {
  await session.execute(
    `delete from ${tables.commits} where ctid = any(array(
       select c.ctid from ${tables.commits} c
        where c.job = $1 and (c.at < clock_timestamp() - pg_catalog.make_interval(days => $3::int4) or pg_catalog.age(c.xmin) > $4::int8
           or (select count(*) from ${tables.commits} k where k.job = $1) > $2::int8
              and c.at < (select k.at from ${tables.commits} k where k.job = $1 order by k.at desc offset $2::int8 - 1 limit 1))
        for update skip locked))`,
    [storable(job), String(kept.count), String(kept.days), String(kept.transactions)],
  );
}
