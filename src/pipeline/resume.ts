import { TrueupError } from '../errors.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import { LIMITED, isLimited, scopeMark } from './plan/backfill-scope.ts';
import type { BackfillScope } from './plan/backfill-scope.ts';
import { beginRefill, dropGroup, meantStreams, startFromNow } from './begin-group.ts';
import { groupChange, isLog } from './compare/group-hash.ts';
import type { GroupChange } from './compare/group-hash.ts';
import { groupCheckpoints } from './job-run.ts';
import type { Group, JobRun } from './job-run.ts';
import { lifeState } from './stream-life.ts';

/** What the run was asked to do beyond going on. */
export interface ResumeOptions {
  /** Read everything again from the beginning. */
  readonly full: boolean;
  readonly onChange: 'stop' | 'rebackfill' | 'from-now';
  /** `backfill`: read again, beside the changes. */
  readonly backfill: (BackfillScope & { readonly restart: boolean }) | null;
}

/**
 * Decides whether the stored checkpoints of a group may be resumed, and brings them to where the run begins. A difference never resumes
 * blindly: it stops the group or takes the way that the job declares.
 */
export async function prepareGroup(run: JobRun, group: Group, options: ResumeOptions): Promise<void> {
  const checkpoints = await groupCheckpoints(run, group);
  const state = lifeState(checkpoints);
  if (options.full) return readAgain(run, group, state);
  if (state === 'new') return;
  const changes = checkpoints.find((one) => one.feed.id === group.feed.id) as Checkpoint;
  await refuseOtherSource(run, group, changes);
  const change = groupChange(changes.planHash, group);
  const isKnown = ({ planned }: Group['streams'][number]): boolean => !change.added.includes(planned.name);
  if (group.streams.some((stream) => isKnown(stream) && stream.planned.targetPlan.creates)) return onTargetLost(run, group, change.added);
  if (change.changed.length > 0) return onPlanChange(run, group, { state, options, change });
  // A mapping that changed may have got a new child table; by the same one it was there.
  if (lostTargets(group, change.added).length > 0) return onTargetLost(run, group, change.added);
  // Without the position of its children's changes, what changed in them since is known to nobody.
  if (
    group.embeds.some(
      ({ id, streams }) => !streams.some((name) => change.added.includes(name)) && !checkpoints.some(({ feed }) => feed.id === id),
    )
  )
    return dropGroup(run, group);
  if (change.added.length + change.removed.length > 0) await beginRefill(run, group, { scope: {}, streams: change.added });
  if (options.backfill !== null) await onBackfill(run, group, await groupCheckpoints(run, group), options.backfill);
}

/** Everything from the beginning. Of a log with other streams as well, only those that are meant: it goes on, and misses nothing meanwhile. */
async function readAgain(run: JobRun, group: Group, state: string): Promise<void> {
  const streams = meantStreams(run, group);
  if (!isLog(group) || state === 'new' || state === 'loading' || streams.length === group.streams.length) return dropGroup(run, group);
  return beginRefill(run, group, { scope: {}, streams });
}

export async function refuseOtherSource(run: JobRun, group: Group, changes: Checkpoint): Promise<void> {
  const { context } = run;
  const identity = await context.source.identity(run.signals.abort);
  if (changes.sourceIdentity !== identity)
    throw new TrueupError(
      'E_SOURCE_CHANGED',
      `${groupText(group)}: the checkpoint belongs to source '${changes.sourceIdentity}', the connection leads to '${identity}'`,
    );
  if (changes.cursorVersion !== context.cursorVersion)
    throw new TrueupError(
      'E_POSITION_LOST',
      `${groupText(group)}: the checkpoint has cursor version ${changes.cursorVersion}, the connector reads version ${context.cursorVersion}`,
    );
}

/** Tables that this run would have to make. @param added streams that never had one */
function lostTargets(group: Group, added: readonly string[]): string[] {
  const streams = group.streams.filter(({ planned }) => !added.includes(planned.name));
  const tables = streams.flatMap(({ planned }) => [planned, ...planned.children]);
  return tables.filter(({ targetPlan }) => targetPlan.creates).map(({ target }) => target.target);
}

async function onTargetLost(run: JobRun, group: Group, added: readonly string[]): Promise<void> {
  if (run.context.job.onLostPosition === 'rebackfill') return dropGroup(run, group);
  const targets = lostTargets(group, added).map((name) => `'${name}'`);
  throw new TrueupError(
    'E_TARGET_LOST',
    `${groupText(group)}: target ${targets.join(', ')} is gone while the checkpoint says that records were written to it`,
  );
}

interface PlanChange {
  readonly state: string;
  readonly options: ResumeOptions;
  readonly change: GroupChange;
}

async function onPlanChange(run: JobRun, group: Group, { state, options, change }: PlanChange): Promise<void> {
  const streams = [...change.changed, ...change.added];
  // Of a log the others are none the wiser.
  const isWhole = !isLog(group);
  // A backfill of the whole stream says what is meant; a limited one would leave the rest as the old plan wrote it.
  if (options.backfill !== null && !isLimited(options.backfill)) {
    if (state === 'loading' && isWhole) return dropGroup(run, group);
    return beginRefill(run, group, { scope: options.backfill, streams: [...new Set([...streams, ...meantStreams(run, group)])] });
  }
  switch (options.onChange) {
    case 'rebackfill':
      return state === 'loading' && isWhole ? dropGroup(run, group) : beginRefill(run, group, { scope: {}, streams });
    case 'from-now':
      return startFromNow(run, group);
    case 'stop':
      throw new TrueupError(
        'E_PLAN_HASH',
        `${streamsText(change.changed)}: mapping, key, change method or filter changed since the checkpoint was written`,
      );
  }
}

async function onBackfill(
  run: JobRun,
  group: Group,
  checkpoints: readonly Checkpoint[],
  backfill: BackfillScope & { readonly restart: boolean },
): Promise<void> {
  // The first load reads everything anyway, and goes on where it stopped.
  if (lifeState(checkpoints) === 'loading') return backfill.restart && !isLimited(backfill) ? dropGroup(run, group) : undefined;
  const streams = meantStreams(run, group);
  if (backfill.restart) return beginRefill(run, group, { scope: backfill, streams });
  const unfinished = checkpoints.filter((one) => one.feed.kind === 'backfill' && one.state !== 'done');
  const mark = scopeMark(backfill);
  const isSame = ({ feed }: Checkpoint): boolean => (mark === '' ? !LIMITED.test(feed.id) : feed.id.endsWith(mark));
  if (unfinished.some((one) => isSame(one) && one.feed.streams.some((name) => streams.includes(name)))) return;
  // Whatever else was begun is finished too, but for what the whole stream covers anyway.
  await beginRefill(run, group, { scope: backfill, streams, keep: isLimited(backfill) ? unfinished : [] });
}

export function groupText(group: Group): string {
  return streamsText(group.streams.map(({ planned }) => planned.name));
}

function streamsText(streams: readonly string[]): string {
  const names = streams.map((name) => `'${name}'`);
  return `${names.length === 1 ? 'stream' : 'streams'} ${names.join(', ')}`;
}
