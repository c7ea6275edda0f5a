import { sleepUntil } from './clock.ts';
import type { JobDesk } from './job-desk.ts';
import { decideWake, firstDue, onEnd, onTurn } from './turn.ts';
import type { Activity, CronSchedule } from './turn.ts';

/**
 * Takes the turns of a cron job until it is stopped, and ends when its last run has ended.
 *
 *     wait for the turn, and its jitter ─▶ decide (take, missed) ─▶ idle: run · running: queue or skip ─▶ wait …
 */
export async function followCron(desk: JobDesk, schedule: CronSchedule): Promise<void> {
  const { job, signals, clock, random, log } = desk;
  const runs = createTurnTaker(desk, schedule);
  let dueMs = firstDue(schedule, await lastRun(desk), clock.now());
  let isFirst = true;
  while (!signals.stop.aborted) {
    desk.plan(dueMs);
    log[isFirst ? 'info' : 'debug']({ job: job.name, nextRunAt: new Date(dueMs).toISOString() }, 'next turn');
    isFirst = false;
    const jitterMs = Math.floor(random() * schedule.jitterMs);
    const waited = await sleepUntil(clock, dueMs + jitterMs, signals.stop);
    if (waited === 'stopped') break;
    if (waited === 'turned-back') {
      dueMs = firstDue(schedule, null, clock.now());
      continue;
    }
    const { takeMs, missed, nextMs } = decideWake({ schedule, dueMs, nowMs: clock.now() - jitterMs });
    if (missed)
      log.warn(
        { job: job.name, since: new Date(dueMs).toISOString(), misfire: schedule.misfire },
        takeMs === null ? 'turns were missed and are left out' : 'turns were missed; one run makes up for them',
      );
    if (takeMs !== null) runs.turn();
    dueMs = nextMs;
  }
  await runs.ended();
}

async function lastRun({ job, log, lastRunAt }: JobDesk): Promise<Date | null> {
  try {
    return await lastRunAt();
  } catch (error) {
    log.warn({ job: job.name, err: error }, 'the last run is not known, so no missed turn is made up for');
    return null;
  }
}

/** At most one run of the job at a time, and at most one that waits for its end. */
function createTurnTaker({ job, log, run }: JobDesk, schedule: CronSchedule): { turn(): void; ended(): Promise<void> } {
  let activity: Activity = 'idle';
  let current: Promise<void> = Promise.resolve();
  const start = async (): Promise<void> => {
    for (let again = true; again;) {
      const status = await run(false);
      const next = onEnd(activity);
      activity = next.activity;
      again = next.action === 'start' && status !== null;
    }
  };
  return {
    turn() {
      const next = onTurn(activity, schedule.overlap);
      activity = next.activity;
      if (next.action === 'start') current = start();
      else
        log.warn(
          { job: job.name, overlap: schedule.overlap },
          next.action === 'queue' ? 'still running; one more run follows' : 'still running; this turn is skipped',
        );
    },
    ended: () => current,
  };
}
