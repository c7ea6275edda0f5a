import type { Exit, TrueupProcess } from '../processes.ts';

export interface RandomKills {
  /** Runs that a kill ended. */
  readonly fell: number;
  /** Waits for the end of a run, which a SIGKILL brings about unless it is quicker. */
  kill(run: TrueupProcess): Promise<Exit>;
}

const FIRST_MS = 1_200;
/** Runs that follow never end, so kills would come later and later. */
const MOST_MS = 3_000;

/** Kills at random instants of a run, wherever the speed of the machine puts them: how long one is expected to take follows how long they took. */
export function randomKills(random: () => number = Math.random): RandomKills {
  let takesMs = FIRST_MS;
  let fell = 0;
  return {
    get fell() {
      return fell;
    },
    async kill(run) {
      const startedAt = performance.now();
      const timer = setTimeout(() => run.kill('SIGKILL'), takesMs * (0.4 + 0.7 * random()));
      const exit = await run.waitForExit(60_000);
      clearTimeout(timer);
      if (exit.signal === 'SIGKILL') fell += 1;
      takesMs = exit.signal === 'SIGKILL' ? Math.min(takesMs * 1.15, MOST_MS) : performance.now() - startedAt;
      return exit;
    },
  };
}
