import type { ClientSession, Db, Document } from 'mongodb';
import { TrueupError } from '../../../src/sdk.ts';
import { BSON, rawDocument, rawElements, rawText } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import type { Session } from '../session.ts';
import { tokenTime } from './cluster-time.ts';
import type { ClusterTime } from './cluster-time.ts';

/*
 * A change stream by the commands themselves. The driver's own class makes objects of what the server sends, which loses the types of numbers and the order of
 * names, resumes by itself, and does not tell of the token of an empty answer, by which the position of an idle stream moves on.
 */

/** One answer of the server: what happened next, and where a reader stands after it. */
export interface Answer {
  readonly events: readonly RawValue[];
  /** After all of `events`: the token of the last of them, or a later place. */
  readonly token: RawValue;
  readonly time: ClusterTime;
  /** The server ended the stream: what it was opened on is gone, or another one by now. It can be opened again after the token. */
  readonly isOver: boolean;
}

export interface ChangeStream {
  readonly first: Answer;
  /** Waits this long for something to happen. */
  next(waitMs: number): Promise<Answer>;
  close(): Promise<void>;
}

export interface ChangeStreamInit {
  readonly session: Session;
  /** A collection; `null`: the whole database. */
  readonly scope: string | null;
  /** Where it begins: members of the stage `$changeStream`. */
  readonly start: Document;
  /** What else the stage is told. */
  readonly images: Document;
  /** Stages after it. */
  readonly stages: readonly Document[];
  /** Events of one answer, at most. */
  readonly size: number;
  readonly signal: AbortSignal;
}

/** How long the server may take to be told that a stream is not needed any more (ms). */
const CLOSE_MS = 1000;

export async function openChangeStream(init: ChangeStreamInit): Promise<ChangeStream> {
  const { session, scope, start, images, stages, size, signal } = init;
  // All commands of one cursor belong to one session.
  const own = await session.run(signal, (_db, client) => Promise.resolve(client.startSession({ causalConsistency: false })));
  const ask = (command: Document): Promise<RawValue> => session.run(signal, (db) => send(db, command, own, signal));
  let cursor: CursorAnswer | null = null;
  const close = async (): Promise<void> => {
    const { id, collection } = cursor ?? { id: 0n, collection: '' };
    const ending = AbortSignal.timeout(CLOSE_MS);
    if (id !== 0n)
      await session.run(ending, (db) => db.command({ killCursors: collection, cursors: [id] }, { session: own })).catch(() => undefined);
    await own.endSession().catch(() => undefined);
  };
  try {
    const opened = readAnswer(
      await ask({
        aggregate: scope ?? 1,
        pipeline: [{ $changeStream: { ...start, ...images } }, ...stages],
        cursor: { batchSize: size },
        readConcern: { level: 'majority' },
      }),
    );
    cursor = opened;
    return {
      first: opened.answer,
      next: async (waitMs) => {
        const { id, collection } = cursor as CursorAnswer;
        cursor = readAnswer(await ask({ getMore: id, collection, batchSize: size, maxTimeMS: Math.max(1, Math.round(waitMs)) }));
        return cursor.answer;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function send(db: Db, command: Document, session: ClientSession, signal: AbortSignal): Promise<RawValue> {
  const answer = await db.command(command, { session, raw: true, signal, readPreference: 'primary' } as object);
  return rawDocument(answer['cursor'] as Uint8Array);
}

interface CursorAnswer {
  readonly id: bigint;
  readonly collection: string;
  readonly answer: Answer;
}

function readAnswer(raw: RawValue): CursorAnswer {
  const members = new Map(rawElements(raw).map(({ name, value }) => [name, value]));
  const id = members.get('id') as RawValue;
  const batch = (members.get('firstBatch') ?? members.get('nextBatch')) as RawValue;
  const token = members.get('postBatchResumeToken');
  const time = token === undefined ? null : tokenTime(token);
  if (token === undefined || time === null)
    throw new TrueupError('E_BUG', 'MongoDB answered a change stream without a resume token that has a time.');
  const cursorId = id.type === BSON.int64 ? id.bytes.readBigInt64LE(id.from) : BigInt(id.bytes.readInt32LE(id.from));
  const events = rawElements(batch).map(({ value }) => value);
  return {
    id: cursorId,
    collection: rawText(members.get('ns') as RawValue).replace(/^[^.]*\./, ''),
    answer: { events, token, time, isOver: cursorId === 0n },
  };
}
