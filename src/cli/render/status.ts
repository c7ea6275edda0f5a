import type { ConnectionStatus, JobStatus } from '../../api.ts';
import type { FeedStatus } from '../../pipeline/report/job-status.ts';
import type { Kept } from '../../pipeline/kept.ts';
import type { View } from '../outcome.ts';
import { bytesText, countText, durationText } from '../text/quantity.ts';
import { tableText } from '../text/table.ts';
import { timeText } from './time.ts';

export function statusTable(jobs: readonly JobStatus[], view: View): string {
  if (jobs.length === 0) return 'the config has no jobs';
  const isScheduled = jobs.some((job) => job.nextRunAt !== undefined);
  const table = tableText({
    columns: [
      { title: 'job', minWidth: 10 },
      { title: 'last run' },
      { title: 'at', optional: true },
      { title: 'verified', optional: true },
      { title: 'next run', optional: true },
      { title: 'owner', optional: true, minWidth: 10 },
      { title: 'letters', align: 'right' },
      { title: 'feeds', align: 'right' },
    ],
    rows: jobs.map((job) => [
      job.job,
      job.lastRun?.status ?? 'never',
      timeText(job.lastRun?.endedAt ?? job.lastRun?.startedAt),
      verifiedText(job),
      timeText(job.nextRunAt),
      ownerText(job),
      job.deadLetters === undefined ? '?' : countText(job.deadLetters),
      job.feeds === undefined ? '?' : countText(job.feeds.length),
    ]),
    style: view.style,
    width: view.width,
  });
  const notes = jobs.flatMap(({ job, unknown }) =>
    unknown === undefined
      ? []
      : [view.style.yellow(`${job}: '${unknown.connection}' keeps the rest, and cannot be asked: [${unknown.code}] ${unknown.message}`)],
  );
  // Whether a scheduler runs somewhere is not known here.
  if (isScheduled) notes.push(view.style.dim('next runs begin by themselves only while `trueup start` runs'));
  return [table, ...notes].join('\n');
}

function verifiedText({ lastVerify }: JobStatus): string {
  if (lastVerify === undefined) return '';
  return `${lastVerify.consistent ? 'consistent' : 'differs'} ${timeText(lastVerify.at)}`;
}

function ownerText({ owner }: JobStatus): string {
  if (owner === undefined) return '';
  const where = `${owner.process.host} pid ${owner.process.pid}`;
  return owner.live ? where : `${where} (gone)`;
}

export function feedTable(feeds: readonly FeedStatus[], view: View): string {
  if (feeds.length === 0) return 'no checkpoint yet';
  return tableText({
    columns: [
      { title: 'feed', minWidth: 16 },
      { title: 'state' },
      { title: 'position', minWidth: 16 },
      { title: 'lag', align: 'right', optional: true },
      { title: 'epoch', align: 'right' },
      { title: 'saved', optional: true },
    ],
    rows: feeds.map((feed) => [feed.feed, feed.state, feed.position, lagText(feed), String(feed.epoch), timeText(feed.savedAt)]),
    style: view.style,
    width: view.width,
    indent: 2,
  });
}

/** Of a log its bytes as well. */
function lagText({ lagMs, log }: FeedStatus): string {
  const time = lagMs === undefined ? [] : [durationText(lagMs)];
  const bytes = log?.lagBytes === undefined ? [] : [bytesText(log.lagBytes)];
  const window = log?.windowMs === undefined ? [] : [`${durationText(log.windowMs)} left`];
  return [...time, ...bytes, ...window].join(', ');
}

/** Delays and what endangers the position of a log. */
export function logLines({ delays, feeds }: JobStatus, view: View): string[] {
  const delay =
    delays === undefined
      ? []
      : [
          `  delay from commit to commit: p50 ${durationText(delays.p50Ms)}, p99 ${durationText(delays.p99Ms)}, at most ${durationText(delays.maxMs)}`,
        ];
  return [...delay, ...(feeds ?? []).flatMap(({ log }) => (log?.warnings ?? []).map((warning) => view.style.yellow(`  ${warning}`)))];
}

/** What sources keep for jobs that the config does not have. */
export function keptLines(kept: readonly Kept[], view: View): string[] {
  const lines = kept.map(({ connection, name, kind, inUse, retainedBytes }) => {
    const size = retainedBytes === undefined ? '' : `, keeps ${bytesText(retainedBytes)}`;
    return view.style.yellow(`  ${kind} '${name}' on connection '${connection}'${size}${inUse ? ', in use' : ''}`);
  });
  return [
    'kept in sources for no job of this config:',
    ...lines,
    view.style.dim('  when no other installation needs it: trueup checkpoint drop <name>'),
  ];
}

export function breakerTable(connections: readonly ConnectionStatus[], view: View): string {
  return tableText({
    columns: [
      { title: 'connection', minWidth: 10 },
      { title: 'circuit breaker' },
      { title: 'since', optional: true },
      { title: 'faults in a row', align: 'right' },
      { title: 'last fault', optional: true },
      { title: 'tried again', optional: true },
    ],
    rows: connections.map(({ connection, breaker }) => [
      connection,
      breaker.state,
      timeText(breaker.since),
      countText(breaker.failures),
      breaker.lastCode ?? '',
      timeText(breaker.retryAt),
    ]),
    style: view.style,
    width: view.width,
  });
}
