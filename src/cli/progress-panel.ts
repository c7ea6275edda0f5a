import type { OnEvent, RunEvent } from '../pipeline/report/events.ts';
import { applyEvent, createProgress, progressLines } from './progress.ts';
import type { Session } from './session.ts';

const REDRAW_MS = 100;

/** Draws the progress of runs on standard error while `work` goes on. On anything but a terminal it draws nothing, and logs why a run waits. */
export async function withProgress<T>(session: Session, work: (onEvent: OnEvent) => Promise<T>): Promise<T> {
  const { screen, screenStyle: style } = session;
  if (!screen.isTerminal) return work((event) => logWait(session, event));
  const progress = createProgress();
  const draw = () => {
    const lines = progressLines(progress, performance.now(), { width: screen.columns(), style });
    screen.panel(lines.length === 0 ? [style.dim('… planning')] : lines);
  };
  const timer = setInterval(draw, REDRAW_MS);
  try {
    return await work((event) => applyEvent(progress, event, performance.now()));
  } finally {
    clearInterval(timer);
    screen.panel([]);
  }
}

/** Under cron nobody sees a progress line, and a run that waits for a server must not look as if it hung. */
function logWait({ log }: Session, event: RunEvent): void {
  if (event.kind === 'retry') {
    const { job, stream, attempt, delayMs, code, message } = event;
    log.warn({ job, ...(stream === '' ? {} : { stream }), attempt, delayMs, code }, `trying again in ${delayMs} ms: ${message}`);
  } else if (event.kind === 'held-back') {
    log.warn({ job: event.job, stream: event.stream, since: event.since, by: event.by }, 'an open transaction holds changes back');
  }
}
