/** Marks a file as trueup's state (`pragma application_id`): the letters "trup". */
export const APPLICATION_ID = 0x74727570;

/**
 * What brings a file from schema version `index` to the next. A step that was released never changes; a new one is added at the end.
 * Times are milliseconds since 1970 where they are compared, ISO text where they are only shown.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table leases (
    job text primary key,
    epoch integer not null,          -- only grows, and stays when the lease is released
    held integer not null,           -- 0: released
    run text not null,
    host text not null,
    pid integer not null,
    started text not null,
    ttl_ms integer not null,
    acquired_ms integer not null,
    expires_ms integer not null
  ) strict;

  create table checkpoints (
    job text not null,
    feed text not null,
    epoch integer not null,
    saved_at text not null,
    checkpoint text not null,        -- as JSON, but for job, epoch and saved_at
    primary key (job, feed)
  ) strict, without rowid;

  create table letters (
    job text not null,
    stream text not null,
    key text not null,
    kind text not null,
    code text not null,
    message text not null,
    run text not null,
    at text not null,
    attempts integer not null,
    payload text,                    -- JSON
    primary key (job, stream, key)
  ) strict, without rowid;

  create table runs (
    run text not null,
    job text not null,
    command text not null,
    started_at text not null,
    ended_at text,
    status text not null,
    exit_code integer,
    report text,                     -- JSON
    primary key (job, run)
  ) strict;
  create index runs_by_time on runs (job, started_at desc, run desc);
  `,
  `
  create table breakers (
    connection text primary key,
    state text not null,
    since text not null,
    failures integer not null,
    last_code text
  ) strict, without rowid;
  `,
];
