import { createHash } from 'node:crypto';
import type { Feed, StreamRef } from '../../../src/sdk.ts';
import type { Server } from '../session/session.ts';

/** The feed of all streams of a job that are read from the log. */
export const LOG_FEED = 'changes:log';

/** What a job keeps in the source under its name. Stored with the feed. */
export interface LogNames {
  readonly slot: string;
  readonly publication: string;
}

/** What the names of slots begin with that this connector made. */
export const SLOT_PREFIX = 'trueup_';

/**
 * As the connection says, else of the job and the database: slots are known to the whole cluster, and a name may have 63 characters of a-z, 0-9 and _.
 * A part of a job has a slot of its own in any case, since a slot has one position; a publication that somebody named serves all.
 */
export function logNames({ options, where }: Server, { job = 'trueup', part }: Pick<StreamRef, 'job' | 'part'> = {}): LogNames {
  const parts = part === undefined ? [] : [part];
  const mark = createHash('sha256')
    .update(JSON.stringify([job, where.database, ...parts]))
    .digest('hex')
    .slice(0, 8);
  const own = `${SLOT_PREFIX}${readable([job, ...parts].join('_'))}_${mark}`;
  const { slot, publication } = options.log;
  const named = slot !== undefined && part !== undefined ? `${slot.slice(0, 54)}_${mark}` : slot;
  return { slot: named ?? own, publication: publication ?? own };
}

/** What the names of all slots of a job begin with that has several. */
export function slotStart(job: string): string {
  return `${SLOT_PREFIX}${readable(`${job}_`)}`;
}

function readable(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 40);
}

export function isLogged({ changes }: Pick<StreamRef, 'changes'>): boolean {
  return changes.by === 'log';
}

/** The names that were stored with a feed, or those that it would get now. */
export function namesOf(server: Server, { known }: Feed, streams: readonly StreamRef[] = []): LogNames {
  const stored = known as Partial<LogNames> | undefined;
  const made = logNames(server, streams[0]);
  return { slot: stored?.slot ?? made.slot, publication: stored?.publication ?? made.publication };
}
