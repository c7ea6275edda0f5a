import type { Command } from 'commander';
import type { App, CheckpointChange } from '../../api.ts';
import { TrueupError } from '../../errors.ts';
import type { Checkpoint } from '../../model/checkpoint.ts';
import { knownNames } from '../../model/suggest.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Outcome } from '../outcome.ts';
import { checkpointChangeText, checkpointDetails, checkpointTable } from '../render/checkpoints.ts';
import type { Session } from '../session.ts';
import { requireJobs, withApp } from '../with-app.ts';

/** What the subcommands work on. */
interface Subject {
  readonly session: Session;
  readonly app: App;
  readonly job: string;
  readonly feed: string | undefined;
}

const JOB = ['<job>', 'name of a job'] as const;
const FEED = 'a feed as `checkpoint list` names it';

export function addCheckpoint(program: Command, dispatch: Dispatch): void {
  const group = program
    .command('checkpoint')
    .summary('list, show or change resume points')
    .description('List, show or change the resume points of a job. A change takes a new epoch; while a run owns the job it is refused.');
  const act = (command: string, work: (subject: Subject) => Promise<Outcome>, job: string, feed?: string) =>
    dispatch(command, (session) =>
      withApp(session, (app) => {
        requireJobs(app, [job]);
        return work({ session, app, job, feed });
      }),
    );
  group
    .command('list')
    .description('List the checkpoints of a job, or of all.')
    .argument('[job]', 'name of a job; none: all')
    .action((job?: string) => dispatch('checkpoint list', (session) => withApp(session, (app) => listCheckpoints(session, app, job))));
  group
    .command('show')
    .description('Show one checkpoint with its cursor, or all of a job.')
    .argument(...JOB)
    .argument('[feed]', FEED)
    .action((job: string, feed?: string) => act('checkpoint show', showCheckpoints, job, feed));
  group
    .command('set')
    .description('Put a cursor in place of the stored one. The next run reads on from it.')
    .argument(...JOB)
    .argument('<feed>', FEED)
    .argument('<cursor>', 'the cursor as JSON, as `checkpoint show` prints it')
    .action((job: string, feed: string, cursor: string) => act('checkpoint set', (on) => change(on, { kind: 'set', cursor }), job, feed));
  group
    .command('rewind')
    .description('Go back to the beginning: the next run reads everything again and writes only what differs.')
    .argument(...JOB)
    .argument('[feed]', `${FEED}; none: all of the job`)
    .action((job: string, feed?: string) => act('checkpoint rewind', (on) => change(on, { kind: 'rewind' }), job, feed));
  group
    .command('drop')
    .description('Forget the checkpoint, and what the source keeps for it; the next run begins with a first load.')
    .argument(
      '<job>',
      'name of a job; of one that the config does not have any more, or a name that `status` lists, what sources keep for it',
    )
    .argument('[feed]', `${FEED}; none: all of the job`)
    .action((job: string, feed?: string) =>
      dispatch('checkpoint drop', (session) =>
        withApp(session, async (app) => {
          const gone = feed === undefined && !app.config.jobs.has(job) ? await dropKept(session, app, job) : null;
          if (gone !== null) return gone;
          requireJobs(app, [job]);
          return change({ session, app, job, feed }, { kind: 'drop' });
        }),
      ),
    );
}

async function listCheckpoints(session: Session, app: App, job: string | undefined): Promise<Outcome> {
  if (job !== undefined) requireJobs(app, [job]);
  const jobs = job === undefined ? [...app.config.jobs.keys()] : [job];
  const lists = await Promise.all(jobs.map((name) => app.checkpoints(name, session.signals.stop)));
  const checkpoints = lists.flat();
  const document = { command: 'checkpoint list', exitCode: 0, ...(job === undefined ? {} : { job }), checkpoints: checkpoints.map(brief) };
  return { exitCode: 0, document, text: (view) => checkpointTable(checkpoints, view) };
}

function brief({ job, feed, state, position, run, epoch, savedAt }: Checkpoint): Record<string, unknown> {
  const saved = savedAt === undefined ? {} : { savedAt };
  return { job, feed: feed.id, kind: feed.kind, streams: feed.streams, state, position: position.text, run, epoch, ...saved };
}

async function showCheckpoints(subject: Subject): Promise<Outcome> {
  const checkpoints = await chosen(subject);
  const document = { command: 'checkpoint show', exitCode: 0, job: subject.job, checkpoints };
  return { exitCode: 0, document, text: (view) => checkpointDetails(checkpoints, view) };
}

/** @throws {TrueupError} `E_USAGE` for a feed that has none, with those that have */
async function chosen({ session, app, job, feed }: Subject): Promise<Checkpoint[]> {
  const all = await app.checkpoints(job, session.signals.stop);
  const found = feed === undefined ? all : all.filter((checkpoint) => checkpoint.feed.id === feed);
  if (feed === undefined || found.length > 0) return found;
  const known = all.map((checkpoint) => checkpoint.feed.id);
  const list = known.length === 0 ? ' It has none yet.' : knownNames(feed, known);
  throw new TrueupError('E_USAGE', `job '${job}' has no checkpoint of feed '${feed}'.${list}`, {
    hint: `\`trueup checkpoint list ${job}\` lists the feeds.`,
  });
}

/** What sources keep for a job that is gone. `null`: nothing under that name. */
async function dropKept(session: Session, app: App, job: string): Promise<Outcome | null> {
  const dropped = await app.dropKept(job, session.signals.stop);
  if (dropped.length === 0) return null;
  const changed = dropped.map((what) => ({ feed: what, effect: 'dropped in the source' }));
  const document = { command: 'checkpoint drop', exitCode: 0, job, changed };
  return { exitCode: 0, document, text: () => dropped.map((what) => `dropped ${what}`).join('\n') };
}

async function change(subject: Subject, action: CheckpointChange['action']): Promise<Outcome> {
  await chosen(subject);
  const { session, app, job, feed } = subject;
  const report = await app.changeCheckpoint({ job, ...(feed === undefined ? {} : { feed }), action }, session.signals.stop);
  const document = { command: `checkpoint ${action.kind}`, exitCode: 0, ...report };
  return { exitCode: 0, document, text: () => checkpointChangeText(report) };
}
