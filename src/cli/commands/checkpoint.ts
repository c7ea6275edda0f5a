import type { Command } from 'commander';
import type { App, CheckpointChange, CheckpointChangeReport } from '../../app.ts';
import { TrueupError } from '../../errors.ts';
import type { Checkpoint } from '../../model/checkpoint.ts';
import { knownNames } from '../../model/suggest.ts';
import type { Outcome, View } from '../outcome.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Session } from '../session.ts';
import { singleLine } from '../text/width.ts';
import { tableText } from '../text/table.ts';
import { timeText } from '../render/time.ts';
import { requireJobs, withApp } from '../with-app.ts';

export function addCheckpoint(program: Command, dispatch: Dispatch): void {
  const group = program
    .command('checkpoint')
    .summary('list, show or change resume points')
    .description('List, show or change the resume points of a job. A change takes a new epoch, so a run that is going on is fenced.');
  const withJob =
    (name: string, work: (session: Session, app: App, job: string, feed: string | undefined) => Promise<Outcome>) =>
    (job: string, feed?: string) =>
      dispatch(`checkpoint ${name}`, (session) =>
        withApp(session, async (app) => {
          requireJobs(app, [job]);
          return work(session, app, job, feed);
        }),
      );
  group
    .command('list')
    .description('List the checkpoints of a job.')
    .argument('<job>', 'name of a job')
    .action((job: string) => withJob('list', list)(job));
  group
    .command('show')
    .description('Show one checkpoint with its cursor, or all of a job.')
    .argument('<job>', 'name of a job')
    .argument('[feed]', 'a feed as `checkpoint list` names it')
    .action((job: string, feed?: string) => withJob('show', show)(job, feed));
  group
    .command('set')
    .description('Put a cursor in place of the stored one. The next run reads on from it.')
    .argument('<job>', 'name of a job')
    .argument('<feed>', 'a feed as `checkpoint list` names it')
    .argument('<cursor>', 'the cursor as JSON, as `checkpoint show --json` prints it')
    .action((job: string, feed: string, cursor: string) =>
      withJob(
        'set',
        change(() => ({ kind: 'set', cursor })),
      )(job, feed),
    );
  for (const [kind, effect] of Object.entries(EFFECTS) as ['rewind' | 'drop', string][]) {
    group
      .command(kind)
      .description(effect)
      .argument('<job>', 'name of a job')
      .argument('[feed]', 'only this feed; none: all of the job')
      .action((job: string, feed?: string) =>
        withJob(
          kind,
          change(() => ({ kind })),
        )(job, feed),
      );
  }
}

const EFFECTS = {
  rewind: 'Go back to the beginning: the next run reads everything again and writes only what differs.',
  drop: 'Forget the checkpoint, and what the source keeps for it; the next run begins with a first load.',
} as const;

async function list({ signals }: Session, app: App, job: string): Promise<Outcome> {
  const checkpoints = await app.checkpoints(job, signals.stop);
  return {
    exitCode: 0,
    document: { command: 'checkpoint list', exitCode: 0, job, checkpoints: checkpoints.map(brief) },
    text: (view) => listText(checkpoints, view),
  };
}

function brief({ feed, state, position, run, epoch, savedAt }: Checkpoint): Record<string, unknown> {
  return {
    feed: feed.id,
    kind: feed.kind,
    streams: feed.streams,
    state,
    position: position.text,
    run,
    epoch,
    ...(savedAt === undefined ? {} : { savedAt }),
  };
}

function listText(checkpoints: readonly Checkpoint[], { style, width }: View): string {
  if (checkpoints.length === 0) return 'no checkpoint yet: the next run begins with a first load';
  return tableText({
    columns: [
      { title: 'feed', minWidth: 16 },
      { title: 'state' },
      { title: 'position', minWidth: 16 },
      { title: 'epoch', align: 'right' },
      { title: 'saved', optional: true },
    ],
    rows: checkpoints.map(({ feed, state, position, epoch, savedAt }) => [feed.id, state, position.text, String(epoch), timeText(savedAt)]),
    style,
    width,
  });
}

async function show({ signals }: Session, app: App, job: string, feed: string | undefined): Promise<Outcome> {
  const all = await app.checkpoints(job, signals.stop);
  const checkpoints = feed === undefined ? all : all.filter((checkpoint) => checkpoint.feed.id === feed);
  if (feed !== undefined && checkpoints.length === 0) throw unknownFeed(job, feed, all);
  return {
    exitCode: 0,
    document: { command: 'checkpoint show', exitCode: 0, job, checkpoints },
    text: ({ style }) =>
      checkpoints.map((checkpoint) => [style.bold(singleLine(checkpoint.feed.id)), ...facts(checkpoint)].join('\n')).join('\n\n') ||
      'no checkpoint yet',
  };
}

function facts(checkpoint: Checkpoint): string[] {
  const { state, position, cursor, cursorVersion, sourceIdentity, planHash, run, epoch, savedAt, feed } = checkpoint;
  const pairs: [string, string | undefined][] = [
    ['state', state],
    ['position', position.text],
    ['cursor', JSON.stringify(cursor)],
    ['range', feed.range === undefined ? undefined : JSON.stringify(feed.range)],
    ['version', String(cursorVersion)],
    ['source', sourceIdentity],
    ['plan', planHash],
    ['run', `${run}, epoch ${epoch}`],
    ['saved', timeText(savedAt)],
  ];
  return pairs
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `  ${name.padEnd(8)}  ${singleLine(value ?? '')}`);
}

/** Exit 2 with the feeds there are. */
function unknownFeed(job: string, feed: string, all: readonly Checkpoint[]): TrueupError {
  const known = all.map((checkpoint) => checkpoint.feed.id);
  const list = known.length === 0 ? ' It has none yet.' : knownNames(feed, known);
  return new TrueupError('E_USAGE', `job '${job}' has no checkpoint of feed '${feed}'.${list}`, {
    hint: `\`trueup checkpoint list ${job}\` lists the feeds.`,
  });
}

function change(action: () => CheckpointChange['action']) {
  return async ({ signals }: Session, app: App, job: string, feed: string | undefined): Promise<Outcome> => {
    const all = await app.checkpoints(job, signals.stop);
    if (feed !== undefined && !all.some((checkpoint) => checkpoint.feed.id === feed)) throw unknownFeed(job, feed, all);
    const wanted = action();
    const report = await app.changeCheckpoint({ job, ...(feed === undefined ? {} : { feed }), action: wanted }, signals.stop);
    return { exitCode: 0, document: { command: `checkpoint ${wanted.kind}`, exitCode: 0, ...report }, text: () => changeText(report) };
  };
}

function changeText({ job, epoch, changed }: CheckpointChangeReport): string {
  if (changed.length === 0) return `'${job}' has no checkpoint: nothing to change`;
  const lines = changed.flatMap(({ feed, before, after, effect }) => [
    singleLine(feed),
    ...(before === undefined ? [] : [`  before  ${singleLine(before)}`]),
    ...(after === undefined ? [] : [`  after   ${singleLine(after)}`]),
    `  effect  ${singleLine(effect)}`,
  ]);
  return [...lines, `epoch ${epoch}`].join('\n');
}
