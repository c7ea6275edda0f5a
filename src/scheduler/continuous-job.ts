import type { JobDesk } from './job-desk.ts';
import { HEALTHY_MS, restartDelayMs } from './turn.ts';

/** Keeps a continuous job going until it is stopped. Whatever ends it, it starts again after a pause that grows while it keeps ending. */
export async function followContinuous({ job, signals, clock, random, log, run }: JobDesk): Promise<void> {
  let ends = 0;
  while (!signals.stop.aborted) {
    const startMs = clock.now();
    const status = await run(true);
    if (signals.stop.aborted) return;
    ends = clock.now() - startMs >= HEALTHY_MS ? 1 : ends + 1;
    const delayMs = restartDelayMs(ends, random());
    log.warn({ job: job.name, status, delayMs, ends }, 'a continuous job ended; it starts again');
    await clock.sleep(delayMs, signals.stop);
  }
}
