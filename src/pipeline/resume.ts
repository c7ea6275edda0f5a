import { TrueupError } from '../errors.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import { LIMITED, isLimited, scopeMark } from './backfill-scope.ts';
import type { BackfillScope } from './backfill-scope.ts';
import { beginRefill, dropGroup, groupHash, startFromNow } from './group-life.ts';
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
  if (options.full) return dropGroup(run, group);
  const state = lifeState(checkpoints);
  if (state === 'new') return;
  const changes = checkpoints.find((one) => one.feed.id === group.feed.id) as Checkpoint;
  await refuseOtherSource(run, group, changes);
  if (group.streams.some(({ planned }) => planned.targetPlan.creates)) return onTargetLost(run, group);
  if (changes.planHash !== groupHash(group)) return onPlanChange(run, group, state, options);
  if (options.backfill !== null) await onBackfill(run, group, checkpoints, options.backfill);
}

async function refuseOtherSource(run: JobRun, group: Group, changes: Checkpoint): Promise<void> {
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

async function onTargetLost(run: JobRun, group: Group): Promise<void> {
  if (run.context.job.onLostPosition === 'rebackfill') return dropGroup(run, group);
  const targets = group.streams.filter(({ planned }) => planned.targetPlan.creates).map(({ planned }) => `'${planned.target.target}'`);
  throw new TrueupError(
    'E_TARGET_LOST',
    `${groupText(group)}: target ${targets.join(', ')} is gone while the checkpoint says that records were written to it`,
  );
}

async function onPlanChange(run: JobRun, group: Group, state: string, options: ResumeOptions): Promise<void> {
  // A backfill of the whole stream says what is meant; a limited one would leave the rest as the old plan wrote it.
  if (options.backfill !== null && !isLimited(options.backfill)) {
    if (state === 'loading') return dropGroup(run, group);
    return beginRefill(run, group, options.backfill);
  }
  switch (options.onChange) {
    case 'rebackfill':
      return state === 'loading' ? dropGroup(run, group) : beginRefill(run, group, {});
    case 'from-now':
      return startFromNow(run, group);
    case 'stop':
      throw new TrueupError(
        'E_PLAN_HASH',
        `${groupText(group)}: mapping, key, change method or filter changed since the checkpoint was written`,
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
  if (backfill.restart) return beginRefill(run, group, backfill);
  const unfinished = checkpoints.filter((one) => one.feed.kind === 'backfill' && one.state !== 'done');
  const mark = scopeMark(backfill);
  const isSame = ({ feed }: Checkpoint): boolean => (mark === '' ? !LIMITED.test(feed.id) : feed.id.endsWith(mark));
  if (unfinished.some(isSame)) return;
  // Whatever else was begun is finished too, but for what the whole stream covers anyway.
  await beginRefill(run, group, backfill, isLimited(backfill) ? unfinished : []);
}

export function groupText(group: Group): string {
  const names = group.streams.map(({ planned }) => `'${planned.name}'`);
  return `${names.length === 1 ? 'stream' : 'streams'} ${names.join(', ')}`;
}
