import type { Command } from 'commander';
import type { App } from '../../api.ts';
import type { OnEvent } from '../../pipeline/report/events.ts';
import type { JobReport } from '../../pipeline/report/report.ts';
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
  const teller = runTeller(session);
  return withApp(
    session,
    async (app) => {
      const isScheduled = [...app.config.jobs.values()].some((job) => job.schedule !== null);
      if (isScheduled && session.flags.json !== true) session.stdout.write(`${await scheduleText(session, app)}\n`);
      await app.start(session.signals);
      const runs = teller.ended().map(({ job, status, exitCode }) => ({ job, status, exitCode }));
      return { exitCode: 0, document: { command: 'start', exitCode: 0, runs }, text: () => `stopped after ${plural(runs.length, 'run')}` };
    },
    { onEvent: teller.onEvent },
  );
}

/** Tells one line for every run that ended, with its counts and the time of the next. */
function runTeller({ screen, flags, log }: Session): { onEvent: OnEvent; ended(): readonly JobReport[] } {
  const ended: JobReport[] = [];
  const onEvent: OnEvent = (event) => {
    if (event.kind !== 'job-ended') return;
    const { report, exitCode } = event;
    ended.push(report);
    const text = jobLine(report);
    if (screen.isTerminal && flags.logLevel === undefined) screen.line(`${timeText(new Date().toISOString())} ${text}`);
    else if (exitCode === 0) log.info({ job: event.job, exitCode }, text);
    else log.warn({ job: event.job, exitCode }, text);
  };
  return { onEvent, ended: () => ended };
}

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
