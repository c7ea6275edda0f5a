import type { BreakerRecord, Checkpoint, ErrorCode, Feed, Json, Letter, RunFilter, RunRecord } from '../../../src/sdk.ts';
import type { Session, TextRow } from '../session/session.ts';
import { isoText } from './lease.ts';
import { isMissing } from './missing.ts';
import { storable } from './change.ts';
import type { StoreTables } from './schema.ts';

/* Reading from the store. Tables that are not there yet hold nothing. */

export async function readCheckpoints(session: Session, tables: StoreTables, job: string | null): Promise<Checkpoint[]> {
  const rows = await readOrNothing(
    session,
    `select job, feed, state, cursor, cursor_version, source_identity, plan_hash, position_text, position_time_ms, run, epoch, ${isoText('saved_at')}
     from ${tables.checkpoints} where $1::text is null or job = $1 order by job collate "C", feed_id collate "C"`,
    [job === null ? null : storable(job)],
  );
  return rows.map(checkpoint);
}

function checkpoint(row: TextRow): Checkpoint {
  const [job, feed, state, cursor, cursorVersion, sourceIdentity, planHash, text, timeMs, run, epoch, savedAt] = row as readonly string[];
  return {
    job: job as string,
    feed: JSON.parse(feed as string) as Feed,
    state: state as Checkpoint['state'],
    cursor: parseOrNull(cursor),
    cursorVersion: Number(cursorVersion),
    sourceIdentity: sourceIdentity as string,
    planHash: planHash as string,
    position: { text: text as string, ...(row[8] === null ? {} : { timeMs: Number(timeMs) }) },
    run: run as string,
    epoch: Number(epoch),
    savedAt: savedAt as string,
  };
}

export interface LetterFilter {
  readonly job?: string;
  readonly stream?: string;
  readonly limit?: number;
}

/** Oldest first. */
export async function readLetters(session: Session, tables: StoreTables, filter: LetterFilter): Promise<Letter[]> {
  const rows = await readOrNothing(
    session,
    `select job, stream, key, kind, code, message, run, ${isoText('failed_at')}, attempts, payload
     from ${tables.letters} where ($1::text is null or job = $1) and ($2::text is null or stream = $2) order by failed_at, job, stream, key_hash limit $3::int8`,
    [
      filter.job === undefined ? null : storable(filter.job),
      filter.stream === undefined ? null : storable(filter.stream),
      limitText(filter.limit),
    ],
  );
  return rows.map(letter);
}

function letter(row: TextRow): Letter {
  const [job, stream, key, kind, code, message, run, at, attempts, payload] = row as readonly string[];
  return {
    job: job as string,
    stream: stream as string,
    key: key as string,
    kind: kind as Letter['kind'],
    code: code as ErrorCode,
    message: message as string,
    run: run as string,
    at: at as string,
    attempts: Number(attempts),
    ...(row[9] === null ? {} : { payload: JSON.parse(payload as string) as Json }),
  };
}

/** Newest first. */
export async function readRuns(session: Session, tables: StoreTables, filter: RunFilter): Promise<RunRecord[]> {
  const rows = await readOrNothing(
    session,
    `select run, job, command, ${isoText('started_at')}, ${isoText('ended_at')}, status, exit_code, report
     from ${tables.runs} where ($1::text is null or job = $1) and ($3::json is null or command in (select pg_catalog.json_array_elements_text($3)))
     order by started_at desc, run collate "C" desc limit $2::int8`,
    [
      filter.job === undefined ? null : storable(filter.job),
      limitText(filter.limit),
      filter.commands === undefined ? null : JSON.stringify(filter.commands),
    ],
  );
  return rows.map(runRecord);
}

function runRecord(row: TextRow): RunRecord {
  const [run, job, command, startedAt, endedAt, status, exitCode, report] = row as readonly string[];
  return {
    run: run as string,
    job: job as string,
    command: command as string,
    startedAt: startedAt as string,
    ...(row[4] === null ? {} : { endedAt: endedAt as string }),
    status: status as RunRecord['status'],
    ...(row[6] === null ? {} : { exitCode: Number(exitCode) }),
    ...(row[7] === null ? {} : { report: JSON.parse(report as string) as Json }),
  };
}

export async function readBreakers(session: Session, tables: StoreTables): Promise<BreakerRecord[]> {
  const text = `select connection, state, ${isoText('since')}, failures, last_code from ${tables.breakers} order by connection collate "C"`;
  const rows = await readOrNothing(session, text, []);
  return rows.map(([connection, state, since, failures, lastCode]) => ({
    connection: connection as string,
    state: state as BreakerRecord['state'],
    since: since as string,
    failures: Number(failures),
    ...(typeof lastCode === 'string' ? { lastCode } : {}),
  }));
}

async function readOrNothing(session: Session, text: string, values: readonly (string | null)[]): Promise<TextRow[]> {
  try {
    return await session.query(text, values);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function limitText(limit: number | undefined): string | null {
  return limit === undefined ? null : String(limit);
}

function parseOrNull(text: string | null | undefined): Json {
  return text === null || text === undefined ? null : (JSON.parse(text) as Json);
}
