import type { Cell } from '../../../src/sdk.ts';
import type { ChangesCursor, PassCursor, Phase } from './cursor.ts';
import { afterFailover } from './drain.ts';
import { keysSql, keyValues } from '../read/key-list.ts';
import { phasesOf } from './pass.ts';
import { phasePart } from './pass-sql.ts';
import { setValues } from '../read/reading.ts';
import { readServerFacts } from '../session/server-facts.ts';
import type { Session } from '../session/session.ts';
import type { Snapshot, StreamReader } from '../read/stream-reader.ts';

/** Keys of one statement. */
const KEYS_AT_ONCE = 5000;

type InPass = ChangesCursor & { readonly pass: PassCursor };

/** Which of these keys, in key order, belong to a row that a drain from the cursor would deliver now. By the conditions of the drain itself, in one snapshot. */
export async function readUndelivered(reader: StreamReader, from: ChangesCursor, keys: readonly (readonly Cell[])[]): Promise<boolean[]> {
  const { timeline } = await readServerFacts(await reader.session());
  const cursor = await afterFailover(await reader.session(), await reader.reading(), from, timeline);
  const snapshot = await reader.begin();
  const found = new Set<number>();
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    const some = keys.slice(at, at + KEYS_AT_ONCE);
    for (const [phase, pass] of steps(snapshot, cursor))
      for (const index of await matching(await reader.session(), snapshot, { phase, pass, keys: some })) found.add(at + index);
  }
  await reader.end();
  return keys.map((_, index) => found.has(index));
}

/** What a drain goes through: the rest of a pass that was left unfinished, then a whole one. */
function steps({ reading, horizon }: Snapshot, cursor: ChangesCursor): (readonly [Phase, InPass])[] {
  const phases = phasesOf(reading);
  const whole = (at: ChangesCursor) => phases.map((phase) => [phase, inPhase(at, { phase, at: null, horizon, floor: null })] as const);
  if (cursor.pass === null) return whole(cursor);
  const { pass } = cursor;
  const rest = phases
    .slice(Math.max(0, phases.indexOf(pass.phase)))
    .map((phase) => [phase, inPhase(cursor, phase === pass.phase ? pass : { ...pass, phase, at: null })] as const);
  return [...rest, ...whole({ ...cursor, horizon: pass.horizon, floor: pass.floor })];
}

function inPhase(cursor: ChangesCursor, pass: PassCursor): InPass {
  return { ...cursor, pass };
}

interface Match {
  readonly phase: Phase;
  readonly pass: InPass;
  readonly keys: readonly (readonly Cell[])[];
}

/** The indices of the keys whose row is in the phase. */
async function matching(session: Session, snapshot: Snapshot, { phase, pass, keys }: Match): Promise<number[]> {
  const { reading } = snapshot;
  const part = phasePart(phase, pass, snapshot, null);
  if (part === null) return [];
  await setValues(session, { ...part.values, ...keyValues(reading, keys) });
  const rows = await session.query(keysSql(reading, part.sql));
  return rows.map(([index]) => Number(index));
}
