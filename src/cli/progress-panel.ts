import type { OnEvent } from '../pipeline/events.ts';
import { applyEvent, createProgress, progressLines } from './progress.ts';
import type { Session } from './session.ts';

const REDRAW_MS = 100;

/** Draws the progress of runs on standard error while `work` goes on. On anything but a terminal it draws nothing. */
export async function withProgress<T>(session: Session, work: (onEvent: OnEvent) => Promise<T>): Promise<T> {
  const { screen, screenStyle: style } = session;
  if (!screen.isTerminal) return work(() => {});
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
