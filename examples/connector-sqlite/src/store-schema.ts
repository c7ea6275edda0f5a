/** What a job keeps beside its rows. Times are milliseconds since 1970 where they are compared, ISO text where they are only shown. */
export const STORE_SCHEMA = `
  create table if not exists trueup_leases (
    job text primary key,
    epoch integer not null,          -- only grows, and stays when the lease is released
    held integer not null,           -- 0: released
    owner text not null,             -- run and process, as JSON
    ttl_ms integer not null,
    acquired_ms integer not null,
    expires_ms integer not null
  );
  create table if not exists trueup_checkpoints (
    job text not null,
    feed text not null,
    checkpoint text not null,        -- as JSON
    primary key (job, feed)
  ) without rowid;
  create table if not exists trueup_letters (
    job text not null,
    stream text not null,
    key text not null,
    letter text not null,            -- as JSON
    primary key (job, stream, key)
  ) without rowid;
`;
