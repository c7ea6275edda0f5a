import type pg from 'pg';

/** The table that every tool copies, under the same name in every source. */
export const TABLE = { schema: 'public', name: 'orders', key: 'id', cursor: 'updated_at' } as const;

/**
 * `version` grows with every update, so that an older row in the target can be told from a wrong one. The types are plain ones: this program
 * looks for lost rows, not for lost values.
 */
const CREATE = `
create table orders (
  id bigserial primary key,
  customer text not null,
  amount numeric(12,2) not null,
  note text not null,
  version integer not null default 1,
  updated_at timestamptz not null
);
create index on orders (updated_at, id)`;

/** Stamps by the database, at the begin of the transaction: what most schemas do. */
const STAMP_BY_TRIGGER = `
create function stamp() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
create trigger stamp before insert or update on orders for each row execute function stamp()`;

/** `trigger`: whatever a statement says, updated_at becomes now(). `statement`: each statement brings its stamp. */
export type StampedBy = 'trigger' | 'statement';

export async function createSourceTable(client: pg.Client, stampedBy: StampedBy): Promise<void> {
  await client.query(CREATE);
  if (stampedBy === 'trigger') await client.query(STAMP_BY_TRIGGER);
}

/** Rows in one transaction, so with one stamp. @param stamp used when the table is stamped by statements */
export async function insertRows(client: pg.Client, rows: number, stamp = 'now()'): Promise<void> {
  await client.query(
    `insert into orders (customer, amount, note, updated_at)
     select 'customer ' || n % 997, (n % 100000)::numeric / 100, 'note of row ' || n, ${stamp} from generate_series(1, $1::int) n`,
    [rows],
  );
}
