import type { ClientSession } from 'mongodb';
import { TrueupError } from '../../../src/sdk.ts';
import type { CommitResult, Conversion, TargetStream } from '../../../src/sdk.ts';
import { openSink } from '../bson/sink.ts';
import { documentWriter } from '../document/write.ts';
import { noCounts } from './work.ts';
import type { Counts, StreamWriter } from './work.ts';
import type { Session } from '../session.ts';
import { IN_FLIGHT } from '../read/slices.ts';
import { documentPlan } from '../document/document.ts';

/** What a lane has written since its last commit. */
export interface LaneTally {
  count(stream: string, counts: Counts): void;
  /** Counts a conversion that lost something. */
  note(stream: string, field: string, kind: string): void;
  result(): Omit<CommitResult, 'lettersResolved'>;
  /** What was counted so far stays counted when what comes after it is undone. */
  keep(): void;
  /** Forgets what was counted since `keep`. */
  undo(): void;
  clear(): void;
}

interface Counted {
  readonly streams: Record<string, Counts>;
  readonly conversions: Map<string, number>;
}

export function openTally(): LaneTally {
  let kept: Counted = { streams: {}, conversions: new Map() };
  let now = structuredClone(kept);
  return {
    count: (stream, counts) => {
      const sum = (now.streams[stream] ??= noCounts());
      for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
    },
    note: (stream, field, kind) => {
      const id = JSON.stringify([stream, field, kind]);
      now.conversions.set(id, (now.conversions.get(id) ?? 0) + 1);
    },
    result: () => ({
      streams: structuredClone(now.streams),
      ...(now.conversions.size === 0 ? {} : { conversions: conversionsOf(now.conversions) }),
    }),
    keep: () => (kept = structuredClone(now)),
    undo: () => (now = structuredClone(kept)),
    clear: () => {
      kept = { streams: {}, conversions: new Map() };
      now = structuredClone(kept);
    },
  };
}

function conversionsOf(counted: ReadonlyMap<string, number>): Conversion[] {
  return [...counted].map(([id, count]) => {
    const [stream, field, kind] = JSON.parse(id) as [string, string, string];
    return { stream, field, kind, count };
  });
}

export interface WritersInit {
  readonly session: Session;
  readonly lane: ClientSession;
  readonly atomic: boolean;
  readonly streams: readonly TargetStream[];
  readonly tally: LaneTally;
}

/** The writer of each stream of a lane. */
export function openWriters({ session, lane, atomic, streams, tally }: WritersInit): (stream: string) => StreamWriter {
  const sinks = Array.from({ length: IN_FLIGHT }, openSink);
  const open = (stream: TargetStream): StreamWriter => {
    const plan = documentPlan(stream, session.options.json);
    return {
      session,
      lane: { session: lane, atomic },
      plan,
      documents: documentWriter(plan, (field, kind) => tally.note(stream.stream, field, kind)),
      again: documentWriter(plan, () => undefined),
      sinks,
      insertFirst: null,
    };
  };
  const writers = new Map(streams.map((stream) => [stream.stream, open(stream)] as const));
  return (stream) => {
    const writer = writers.get(stream);
    if (writer === undefined) throw new TrueupError('E_BUG', `The lane was not opened for stream '${stream}'.`);
    return writer;
  };
}
