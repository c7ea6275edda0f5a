import type pg from 'pg';

/** Every write to a table that trueup makes is counted by a trigger, in the transaction that makes it. */
export async function watchPostgresWrites(client: pg.Client): Promise<void> {
  await client.query(`create schema audit; create table audit.writes (n bigint);
    create function audit.count_write() returns trigger language plpgsql as $$ begin insert into audit.writes values (1); return null; end $$;
    create function audit.watch() returns event_trigger language plpgsql as $$ declare made record; begin
      for made in select * from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' and schema_name = 'public' loop
        execute format('create trigger count_write after insert or update or delete on %s for each row execute function audit.count_write()', made.object_identity);
      end loop; end $$;
    create event trigger watch on ddl_command_end when tag in ('CREATE TABLE') execute function audit.watch()`);
}

export async function countPostgresWrites(client: pg.Client): Promise<number> {
  return Number((await client.query<{ n: string }>('select count(*) as n from audit.writes')).rows[0]?.n);
}
