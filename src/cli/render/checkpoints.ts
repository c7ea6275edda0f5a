import type { CheckpointChangeReport } from '../../api.ts';
import type { Checkpoint } from '../../model/checkpoint.ts';
import type { View } from '../outcome.ts';
import { tableText } from '../text/table.ts';
import { singleLine } from '../text/width.ts';
import { timeText } from './time.ts';

const NONE = 'no checkpoint yet: the next run begins with a first load';

export function checkpointTable(checkpoints: readonly Checkpoint[], { style, width }: View): string {
  if (checkpoints.length === 0) return NONE;
  const isOneJob = new Set(checkpoints.map((one) => one.job)).size === 1;
  return tableText({
    columns: [
      { title: 'job', minWidth: 8, optional: true },
      { title: 'feed', minWidth: 16 },
      { title: 'state' },
      { title: 'position', minWidth: 16 },
      { title: 'epoch', align: 'right' },
      { title: 'saved', optional: true },
    ],
    rows: checkpoints.map(({ job, feed, state, position, epoch, savedAt }) => [
      isOneJob ? '' : job,
      feed.id,
      state,
      position.text,
      String(epoch),
      timeText(savedAt),
    ]),
    style,
    width,
  });
}

/** Everything that is stored, the cursor as the JSON that `checkpoint set` takes. */
export function checkpointDetails(checkpoints: readonly Checkpoint[], { style }: View): string {
  if (checkpoints.length === 0) return NONE;
  return checkpoints.map((checkpoint) => [style.bold(singleLine(checkpoint.feed.id)), ...facts(checkpoint)].join('\n')).join('\n\n');
}

function facts(checkpoint: Checkpoint): string[] {
  const { state, position, cursor, cursorVersion, sourceIdentity, planHash, run, epoch, savedAt, feed } = checkpoint;
  const pairs: [string, string][] = [
    ['state', state],
    ['position', position.text],
    ['cursor', JSON.stringify(cursor)],
    ['range', feed.range === undefined ? '' : JSON.stringify(feed.range)],
    ['version', String(cursorVersion)],
    ['source', sourceIdentity],
    ['plan', planHash],
    ['run', `${run}, epoch ${epoch}`],
    ['saved', timeText(savedAt)],
  ];
  return pairs.filter(([, value]) => value !== '').map(([name, value]) => `  ${name.padEnd(8)}  ${singleLine(value)}`);
}

export function checkpointChangeText({ job, epoch, changed }: CheckpointChangeReport): string {
  if (changed.length === 0) return `'${job}' has no checkpoint: nothing to change`;
  const lines = changed.flatMap(({ feed, before, after, effect }) => [
    singleLine(feed),
    ...(before === undefined ? [] : [`  before  ${singleLine(before)}`]),
    ...(after === undefined ? [] : [`  after   ${singleLine(after)}`]),
    `  effect  ${singleLine(effect)}`,
  ]);
  return [...lines, `epoch ${epoch}`].join('\n');
}
