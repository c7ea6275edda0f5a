import type { Checkpoint, Letter, LetterKey, Owner, StoreChange } from '../model/checkpoint.ts';
import type { Json } from '../model/json.ts';
import type { Sql, SqlRow } from './sqlite-file.ts';
import { fenceLease } from './sqlite-leases.ts';

/** To run inside one write transaction. Throws E_FENCED for an old epoch. Returns how many letters were resolved. */
export function saveChange(sql: Sql, owner: Owner, change: StoreChange, savedAt: string): number {
  fenceLease(sql, owner);
  for (const feed of change.dropFeeds ?? []) sql.run('delete from checkpoints where job = ? and feed = ?', owner.job, feed);
  for (const checkpoint of change.checkpoints ?? []) saveCheckpoint(sql, checkpoint, savedAt);
  const resolved = (change.resolved ?? []).reduce((count, key) => count + dropLetter(sql, key), 0);
  for (const letter of change.letters ?? []) saveLetter(sql, letter);
  return resolved;
}

function saveCheckpoint(sql: Sql, { job, epoch, savedAt: _ignored, ...rest }: Checkpoint, savedAt: string): void {
  sql.run(
    `insert into checkpoints (job, feed, epoch, saved_at, checkpoint) values (?, ?, ?, ?, ?)
     on conflict (job, feed) do update set epoch = excluded.epoch, saved_at = excluded.saved_at, checkpoint = excluded.checkpoint`,
    job,
    rest.feed.id,
    epoch,
    savedAt,
    JSON.stringify(rest),
  );
}

export function listCheckpoints(sql: Sql, job: string | null): Checkpoint[] {
  return sql.all('select * from checkpoints where job = coalesce(?, job) order by job, feed', job).map((row) => ({
    ...(JSON.parse(String(row['checkpoint'])) as Omit<Checkpoint, 'job' | 'epoch' | 'savedAt'>),
    job: String(row['job']),
    epoch: Number(row['epoch']),
    savedAt: String(row['saved_at']),
  }));
}

function saveLetter(sql: Sql, letter: Letter): void {
  const { job, stream, key, kind, code, message, run, at, attempts, payload } = letter;
  sql.run(
    `insert into letters (job, stream, key, kind, code, message, run, at, attempts, payload) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (job, stream, key) do update set kind = excluded.kind, code = excluded.code, message = excluded.message, run = excluded.run, at = excluded.at,
       attempts = letters.attempts + 1, payload = excluded.payload`,
    job,
    stream,
    key,
    kind,
    code,
    message,
    run,
    at,
    attempts,
    payload === undefined ? null : JSON.stringify(payload),
  );
}

function dropLetter(sql: Sql, { job, stream, key }: LetterKey): number {
  return sql.run('delete from letters where job = ? and stream = ? and key = ?', job, stream, key);
}

export function listLetters(sql: Sql, filter: { readonly job?: string; readonly stream?: string; readonly limit?: number }): Letter[] {
  const rows = sql.all(
    'select * from letters where job = coalesce(?, job) and stream = coalesce(?, stream) order by job, stream, key limit ?',
    filter.job ?? null,
    filter.stream ?? null,
    filter.limit ?? -1,
  );
  return rows.map(toLetter);
}

function toLetter(row: SqlRow): Letter {
  const payload = row['payload'];
  return {
    job: String(row['job']),
    stream: String(row['stream']),
    key: String(row['key']),
    kind: row['kind'] as Letter['kind'],
    code: row['code'] as Letter['code'],
    message: String(row['message']),
    run: String(row['run']),
    at: String(row['at']),
    attempts: Number(row['attempts']),
    ...(typeof payload === 'string' ? { payload: JSON.parse(payload) as Json } : {}),
  };
}
