import type { Command } from 'commander';
import type { App, JobStatus } from '../../app.ts';
import { TrueupError } from '../../errors.ts';
import type { OnEvent } from '../../pipeline/events.ts';
import type { JobReport } from '../../pipeline/report.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Outcome } from '../outcome.ts';
import { jobLine } from '../render/run.ts';
import { timeText } from '../render/time.ts';
import type { Session } from '../session.ts';
import { plural } from '../text/quantity.ts';
import { tableText } from '../text/table.ts';
import { withApp } from '../with-app.ts';

export function addStart(program: Command, dispatch: Dispatch): void {
  program
    .command('start')
    .summary('run jobs on their schedules until a signal')
    .description(
      'Run every job that has a schedule, until SIGINT or SIGTERM; then end at a checkpoint. A job that fails does not end the others.',
    )
    .action(() => dispatch('start', start));
}

async function start(session: Session): Promise<Outcome> {
  let tell: OnEvent = () => {};
  return withApp(
    session,
    async (app) => {
      const scheduled = [...app.config.jobs.values()].filter((job) => job.schedule !== null);
      if (scheduled.length === 0)
        throw new TrueupError('E_USAGE', 'no job of the config has a schedule', {
          hint: 'Give a job a `schedule`, or run it by hand with `trueup run`.',
        });
      const teller = runTeller(session, app);
      tell = teller.onEvent;
      if (session.flags.json !== true) session.stdout.write(`${await scheduleText(session, app)}\n`);
      await app.start(session.signals);
      await teller.settled();
      return {
        exitCode: 0,
        document: { command: 'start', exitCode: 0, jobs: scheduled.map((job) => job.name), runs: teller.runs() },
        text: () => `stopped after ${plural(teller.runs().length, 'run')}`,
      };
    },
    { onEvent: (event) => tell(event) },
  );
}

interface EndedRun {
  readonly job: string;
  readonly status: string;
  readonly exitCode: number;
}

/** Logs one line for every run that ended, with its counts where the run record has them. */
function runTeller(session: Session, app: App): { onEvent: OnEvent; runs(): readonly EndedRun[]; settled(): Promise<void> } {
  const ended: EndedRun[] = [];
  let told: Promise<void> = Promise.resolve();
  const line = async ({ job, status, exitCode }: EndedRun) => {
    const [state] = await app.status(job, AbortSignal.timeout(STATUS_TIMEOUT_MS)).catch((): JobStatus[] => []);
    const report = state?.lastRun?.report as JobReport | undefined;
    const text = report === undefined ? `${job} ${status}` : jobLine(report);
    const fields = { job, exitCode, ...(state?.nextRunAt === undefined ? {} : { next: state.nextRunAt }) };
    if (session.screen.isTerminal && session.flags.logLevel === undefined)
      session.screen.line(`${timeText(new Date().toISOString())} ${text}`);
    else if (exitCode === 0) session.log.info(fields, text);
    else session.log.warn(fields, text);
  };
  const onEvent: OnEvent = (event) => {
    if (event.kind !== 'job-ended') return;
    const run = { job: event.job, status: event.status, exitCode: event.exitCode };
    ended.push(run);
    told = told.then(() => line(run));
  };
  return { onEvent, runs: () => ended, settled: () => told };
}

const STATUS_TIMEOUT_MS = 5000;

async function scheduleText(session: Session, app: App): Promise<string> {
  const states = new Map((await app.status(null, session.signals.stop)).map((state) => [state.job, state]));
  const rows = [...app.config.jobs.values()].map(({ name, schedule }) => {
    const when = schedule === null ? 'by hand' : schedule.kind === 'continuous' ? 'continuous' : `${schedule.cron} (${schedule.timezone})`;
    return [name, when, schedule === null ? '' : timeText(states.get(name)?.nextRunAt)];
  });
  return tableText({
    columns: [{ title: 'job', minWidth: 10 }, { title: 'schedule' }, { title: 'next run', optional: true }],
    rows,
    ...session.view,
  });
}
