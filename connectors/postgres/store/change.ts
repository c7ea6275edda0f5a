import { createHash } from 'node:crypto';
import { TrueupError } from '../../../src/sdk.ts';
import type { Checkpoint, Letter, LetterKey, Owner, StoreChange } from '../../../src/sdk.ts';
import type { Session } from '../session/session.ts';
import type { StoreTables } from './schema.ts';

/*
 * Writing to the store, inside a transaction that the caller began and commits: the lane's, so that rows, letters and checkpoint become
 * durable together, or the store's own. Rows go as one JSON parameter per table: one statement, whatever their number.
 */

/**
 * Holds the lease's row until the transaction ends, so that a successor's epoch comes either before this check or after this commit.
 * @throws {TrueupError} `E_FENCED` when the epoch is not the owner's any more
 */
export async function fence(session: Session, tables: StoreTables, owner: Owner): Promise<void> {
  const [lease] = await session.query(
    `select epoch, run, host, pid, (expires_at is null)::int from ${tables.leases} where job = $1 for share`,
    [storable(owner.job)],
  );
  if (lease === undefined) throw fenced(owner, 'the job has no lease');
  const [epoch, run, host, pid, free] = lease;
  if (Number(epoch) !== owner.epoch || free === '1')
    throw fenced(owner, `the lease is at epoch ${epoch} of run ${run} (process ${pid} on ${host})`);
}

export function fenced(owner: Owner, found: string): TrueupError {
  return new TrueupError(
    'E_FENCED',
    `Job '${owner.job}': run ${owner.run} writes with epoch ${owner.epoch}, but ${found}. Nothing of it was written.`,
  );
}

/** Resolved letters go first, so that a key which is delivered and then fails again keeps its letter. Returns how many were resolved. */
export async function writeChange(session: Session, tables: StoreTables, job: string, change: StoreChange): Promise<number> {
  const { checkpoints = [], dropFeeds = [], letters = [], resolved = [] } = change;
  const count = resolved.length === 0 ? 0 : await deleteLetters(session, tables, resolved);
  if (letters.length > 0) await upsertLetters(session, tables, letters);
  if (dropFeeds.length > 0)
    await session.execute(`delete from ${tables.checkpoints} where job = $1 and feed_id in (select json_array_elements_text($2::json))`, [
      storable(job),
      JSON.stringify(dropFeeds.map(storable)),
    ]);
  if (checkpoints.length > 0) await upsertCheckpoints(session, tables, checkpoints);
  return count;
}

async function upsertCheckpoints(session: Session, tables: StoreTables, checkpoints: readonly Checkpoint[]): Promise<void> {
  const rows = [
    ...new Map(checkpoints.map((checkpoint) => [`${checkpoint.job}\n${checkpoint.feed.id}`, checkpointRow(checkpoint)])).values(),
  ];
  const updated = [
    'feed',
    'state',
    'cursor',
    'cursor_version',
    'source_identity',
    'plan_hash',
    'position_text',
    'position_time_ms',
    'run',
    'epoch',
    'saved_at',
  ];
  await session.execute(
    `insert into ${tables.checkpoints} (job, feed_id, ${updated.join(', ')})
     select job, feed_id, feed::json, state, cursor::json, cursor_version, source_identity, plan_hash, position_text, position_time_ms, run, epoch, clock_timestamp()
     from json_to_recordset($1::json) as r(job text, feed_id text, feed text, state text, cursor text, cursor_version int4, source_identity text,
       plan_hash text, position_text text, position_time_ms float8, run text, epoch int8)
     order by job, feed_id
     on conflict (job, feed_id) do update set (${updated.join(', ')}) = (${updated.map((name) => `excluded.${name}`).join(', ')})`,
    [JSON.stringify(rows)],
  );
}

/** `feed` and `cursor` are JSON inside of JSON: what reaches the column is their text, character by character. */
function checkpointRow(checkpoint: Checkpoint) {
  return {
    job: storable(checkpoint.job),
    feed_id: storable(checkpoint.feed.id),
    feed: JSON.stringify(checkpoint.feed),
    state: checkpoint.state,
    cursor: checkpoint.cursor === null ? null : JSON.stringify(checkpoint.cursor),
    cursor_version: checkpoint.cursorVersion,
    source_identity: storable(checkpoint.sourceIdentity),
    plan_hash: checkpoint.planHash,
    position_text: storable(checkpoint.position.text),
    position_time_ms: checkpoint.position.timeMs ?? null,
    run: checkpoint.run,
    epoch: checkpoint.epoch,
  };
}

async function upsertLetters(session: Session, tables: StoreTables, letters: readonly Letter[]): Promise<void> {
  const rows = new Map(letters.map((letter) => [letterId(letter), letterRow(letter)]));
  await session.execute(
    `insert into ${tables.letters} as l (job, stream, key_hash, key, kind, code, message, run, failed_at, attempts, payload)
     select job, stream, key_hash, key, kind, code, message, run, failed_at, attempts, payload::json
     from json_to_recordset($1::json) as r(job text, stream text, key_hash text, key text, kind text, code text, message text, run text,
       failed_at timestamptz, attempts int4, payload text)
     order by job, stream, key_hash
     on conflict (job, stream, key_hash) do update set kind = excluded.kind, code = excluded.code, message = excluded.message,
       run = excluded.run, failed_at = excluded.failed_at, attempts = l.attempts + 1, payload = excluded.payload`,
    [JSON.stringify([...rows.values()])],
  );
}

function letterRow(letter: Letter) {
  return {
    ...letterColumns(letter),
    key: storable(letter.key),
    kind: letter.kind,
    code: letter.code,
    message: storable(letter.message),
    run: letter.run,
    failed_at: letter.at,
    attempts: letter.attempts,
    payload: letter.payload === undefined ? null : JSON.stringify(letter.payload),
  };
}

async function deleteLetters(session: Session, tables: StoreTables, keys: readonly LetterKey[]): Promise<number> {
  return session.execute(
    `delete from ${tables.letters} l using json_to_recordset($1::json) as r(job text, stream text, key_hash text)
     where l.job = r.job and l.stream = r.stream and l.key_hash = r.key_hash`,
    [JSON.stringify(keys.map(letterColumns))],
  );
}

function letterColumns(key: LetterKey) {
  return { job: storable(key.job), stream: storable(key.stream), key_hash: createHash('sha256').update(key.key).digest('hex') };
}

function letterId(key: LetterKey): string {
  return JSON.stringify([key.job, key.stream, key.key]);
}

/** PostgreSQL's text holds neither NUL nor lone surrogates; here they can only come from a name or a message. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\\u0000').toWellFormed();
}
