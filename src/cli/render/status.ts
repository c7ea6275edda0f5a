import type { JobStatus } from '../../app.ts';
import type { FeedStatus } from '../../pipeline/job-status.ts';
import type { View } from '../outcome.ts';
import { countText, durationText } from '../text/quantity.ts';
import { tableText } from '../text/table.ts';
import { timeText } from './time.ts';

export function statusTable(jobs: readonly JobStatus[], view: View): string {
  if (jobs.length === 0) return 'the config has no jobs';
  return tableText({
    columns: [
      { title: 'job', minWidth: 10 },
      { title: 'last run' },
      { title: 'at', optional: true },
      { title: 'next run', optional: true },
      { title: 'owner', optional: true, minWidth: 10 },
      { title: 'letters', align: 'right' },
      { title: 'feeds', align: 'right' },
    ],
    rows: jobs.map((job) => [
      job.job,
      job.lastRun?.status ?? 'never',
      timeText(job.lastRun?.endedAt ?? job.lastRun?.startedAt),
      timeText(job.nextRunAt),
      ownerText(job),
      countText(job.deadLetters),
      countText(job.feeds.length),
    ]),
    style: view.style,
    width: view.width,
  });
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
    rows: feeds.map((feed) => [
      feed.feed,
      feed.state,
      feed.position,
      feed.lagMs === undefined ? '' : durationText(feed.lagMs),
      String(feed.epoch),
      timeText(feed.savedAt),
    ]),
    style: view.style,
    width: view.width,
    indent: 2,
  });
}
