import { TrueupError } from '../errors.ts';
import { deleteTargetKeys } from '../pipeline/compare/delete-target-keys.ts';
import { groupChange } from '../pipeline/compare/group-hash.ts';
import type { JobContext, RunSignals } from '../pipeline/job-context.ts';
import { groupCheckpoints } from '../pipeline/job-run.ts';
import type { Group, JobRun, StreamState } from '../pipeline/job-run.ts';
import { letterKeyOf } from '../pipeline/letters/letter-book.ts';
import type { JobReport } from '../pipeline/report/report.ts';
import { groupText, refuseOtherSource } from '../pipeline/resume.ts';
import { withFeed } from '../pipeline/run-feed.ts';
import { replayKeys } from '../pipeline/run-groups.ts';
import { runJob } from '../pipeline/run-job.ts';
import type { Candidate } from './candidate.ts';
import { kindOf } from './candidate.ts';
import { findSourceKeys } from './source-keys.ts';
import type { StreamFindings } from './verify-stream.ts';

export interface RepairRequest {
  readonly context: JobContext;
  readonly run: string;
  readonly signals: RunSignals;
  readonly streams: readonly StreamFindings[];
}

/**
 * Writes the records that differ again, and no other, under the job's lease: each is read from the source once more and written as it is now, so that
 * nothing newer is undone; what the source does not have is deleted. The checkpoint stays where it is.
 */
export function repairStreams({ context, run, signals, streams }: RepairRequest): Promise<JobReport> {
  return runJob(context, {
    run,
    signals,
    streams: [...new Set(streams.map(({ work }) => work.planned.name))],
    follow: false,
    resume: { full: false, onChange: 'stop', backfill: null },
    work: (job, groups) =>
      repairGroups(
        job,
        groups,
        Map.groupBy(streams, ({ work }) => work.planned.name),
      ),
  });
}

/** Parents are written before their children, and deleted after them. */
async function repairGroups(
  job: JobRun,
  groups: readonly Group[],
  findings: ReadonlyMap<string, readonly StreamFindings[]>,
): Promise<void> {
  const ordered = parentsFirst(groups.flatMap((group) => group.streams.map((stream) => ({ group, stream }))));
  const steps = [...ordered.map((one) => ({ ...one, extra: false })), ...ordered.toReversed().map((one) => ({ ...one, extra: true }))];
  for (const { group, stream, extra } of steps) {
    const of = findings.get(stream.planned.name);
    if (of === undefined || stream.status === 'failed' || job.signals.stop.aborted) continue;
    try {
      await refuseUnlikeCheckpoint(job, group);
      // Children first: whatever of them has no record that leads to it must not hold a record back that goes.
      for (const one of of.toSorted((a, b) => Number(a.work.child === null) - Number(b.work.child === null))) {
        const candidates = one.findings.map(({ candidate }) => candidate).filter((candidate) => isExtra(candidate) === extra);
        if (candidates.length > 0) await repairStream(job, { group, stream, of: one, candidates });
      }
      stream.status = 'succeeded';
    } catch (error) {
      Object.assign(stream, { status: 'failed', error });
    }
  }
}

interface Member {
  readonly group: Group;
  readonly stream: StreamState;
}

/** A cycle is entered anywhere: what comes before its parents waits as a letter for them. */
function parentsFirst(members: readonly Member[]): Member[] {
  const ordered: Member[] = [];
  const add = (member: Member, above: readonly Member[]): void => {
    if (ordered.includes(member) || above.includes(member)) return;
    for (const parent of members)
      if (parent !== member && member.stream.planned.after.includes(parent.stream.planned.name)) add(parent, [...above, member]);
    ordered.push(member);
  };
  for (const member of members) add(member, []);
  return ordered;
}

function isExtra({ seen }: Candidate): boolean {
  return seen !== null && kindOf(seen) === 'extra';
}

/** What was never loaded is not to be repaired but loaded; and a job that a run would not resume is not to be written by its new plan either. */
async function refuseUnlikeCheckpoint(job: JobRun, group: Group): Promise<void> {
  const changes = (await groupCheckpoints(job, group)).find((one) => one.feed.id === group.feed.id);
  if (changes === undefined)
    throw new TrueupError('E_USAGE', `${groupText(group)}: nothing was loaded yet, so there is nothing to repair`, {
      hint: `Run \`trueup run ${job.context.job.name}\` first.`,
    });
  await refuseOtherSource(job, group, changes);
  if (groupChange(changes.planHash, group).changed.length > 0)
    throw new TrueupError(
      'E_PLAN_HASH',
      `${groupText(group)}: mapping, key, change method or filter changed since the checkpoint was written`,
    );
}

interface StreamRepair extends Member {
  readonly of: StreamFindings;
  readonly candidates: readonly Candidate[];
}

async function repairStream(job: JobRun, { group, stream, of, candidates }: StreamRepair): Promise<void> {
  const { work } = of;
  // The source may have got the record since: then it is written, not deleted.
  await findSourceKeys(work, candidates);
  const { shape } = stream.planned.sourcePlan;
  const known = candidates.flatMap(({ source }) => (source === null ? [] : [letterKeyOf(shape, source)]));
  if (known.length > 0) await replayKeys(job, group, stream, [...new Set(known)]);
  const keys = candidates.flatMap(({ source, target }) => (source === null && target !== null ? [target] : []));
  if (keys.length === 0) return;
  const types = work.expected.fields.slice(0, work.expected.keyCount).map((field) => field.type);
  stream.phases.add('changes');
  await withFeed(job, { feed: group.feed, streams: group.streams, following: false, signals: job.signals }, async (run) => {
    const running = run.streams.get(stream.planned.name);
    if (running !== undefined) await deleteTargetKeys(run, running, { types, keys, ...(work.child === null ? {} : { child: work.child }) });
  });
}
