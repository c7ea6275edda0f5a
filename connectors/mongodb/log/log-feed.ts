import type { Feed, Json, StreamRef } from '../../../src/sdk.ts';
import type { Knowledge } from '../read/reading.ts';

/** What a run noted of the streams of a feed, by name where there are several. */
type Notes = Readonly<Record<string, Json>>;

/** One feed for all streams that are read from the log: what one transaction wrote into several collections is committed together. */
export function logFeed(knowledge: Knowledge, streams: readonly StreamRef[]): Feed[] {
  const names = streams.map(({ name }) => name);
  if (names.length === 0) return [];
  const notes = names.map((name) => [name, knowledge.note(name)] as const).filter(([, note]) => note !== null);
  const known = notes.length === 0 ? {} : { known: Object.fromEntries(notes) };
  return [{ id: 'changes:log', kind: 'changes', streams: names, ...known }];
}

/** What an earlier run noted of the streams of any feed. What this version cannot read is left out. */
export function recallNotes(knowledge: Knowledge, { streams, known }: Feed): void {
  if (typeof known !== 'object' || known === null) return;
  if (Array.isArray(known)) for (const name of streams) knowledge.recall(name, known);
  else for (const [name, note] of Object.entries(known as Notes)) knowledge.recall(name, note);
}
