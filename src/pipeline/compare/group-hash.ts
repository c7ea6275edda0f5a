import type { PlannedStream } from '../plan/plan.ts';

/*
 * What the checkpoint of a changes feed was written by. A feed of one stream has the hash of its plan. A log carries many streams, which come and go and change
 * one by one, so its checkpoint names the hash of each.
 */

/** Of a hash among many. */
const SHORT = 16;

interface HashedGroup {
  readonly streams: readonly { readonly planned: Pick<PlannedStream, 'name' | 'hash' | 'ref'> }[];
}

/** Whether the streams of a group come from a log, which goes on whatever becomes of one of them. */
export function isLog({ streams }: HashedGroup): boolean {
  return streams.length > 0 && streams.every(({ planned }) => planned.ref.changes.by === 'log');
}

export function groupHash(group: HashedGroup): string {
  const [only] = group.streams;
  if (!isLog(group)) return only?.planned.hash ?? '';
  return JSON.stringify(Object.fromEntries(group.streams.map(({ planned }) => [planned.name, shortHash(planned.hash)])));
}

/** How the streams of a group differ from those that a checkpoint was written by. */
export interface GroupChange {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  /** They are in the checkpoint and not in the group. */
  readonly removed: readonly string[];
}

export function groupChange(stored: string, group: HashedGroup): GroupChange {
  const names = group.streams.map(({ planned }) => planned.name);
  if (!isLog(group)) return { added: [], changed: stored === groupHash(group) ? [] : names, removed: [] };
  const hashes = storedHashes(stored);
  if (hashes === null) return { added: [], changed: names, removed: [] };
  const of = new Map(group.streams.map(({ planned }) => [planned.name, shortHash(planned.hash)]));
  return {
    added: names.filter((name) => !hashes.has(name)),
    changed: names.filter((name) => hashes.has(name) && hashes.get(name) !== of.get(name)),
    removed: [...hashes.keys()].filter((name) => !of.has(name)),
  };
}

/** A stream's hash among those of a log, and the others'. @param stored of a log */
export function withoutStream(stored: string, name: string): { readonly hash: string | undefined; readonly rest: string } {
  const hashes = new Map(storedHashes(stored) ?? []);
  const hash = hashes.get(name);
  hashes.delete(name);
  return { hash, rest: JSON.stringify(Object.fromEntries(hashes)) };
}

/** The hashes of a log with those of further streams. */
export function withStreams(stored: string, group: HashedGroup, names: readonly string[]): string {
  const more = group.streams.filter(({ planned }) => names.includes(planned.name));
  const added = more.map(({ planned }) => [planned.name, shortHash(planned.hash)] as const);
  return JSON.stringify(Object.fromEntries([...(storedHashes(stored) ?? []), ...added]));
}

/** As it stands among others. */
export function shortHash(hash: string): string {
  return hash.slice(0, SHORT);
}

/** Whether a checkpoint was written by a log. */
export function isLogHash(stored: string): boolean {
  return storedHashes(stored) !== null;
}

/** `null`: the checkpoint was not written by a log. */
function storedHashes(stored: string): ReadonlyMap<string, string> | null {
  if (!stored.startsWith('{')) return null;
  return new Map(Object.entries(JSON.parse(stored) as { readonly [name: string]: string }));
}
