import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Of both halves. Records live for a moment and need no more; V8 would take four times as much before it gives any back. */
const ENOUGH_BYTES = 16 * 1024 * 1024;
/**
 * What the old generation may grow by beyond what is in use, before V8 looks for garbage there. By itself it lets three times as much come together,
 * and with it the memory outside of its heap that this garbage holds on to.
 */
const OLD_GROWTH_PERCENT = 50;

/**
 * Keeps V8's heap from growing beyond what a run has a use for. The size of the young generation is settled before any code runs, by flags of the
 * command line alone; whether it grows is asked after each collection, so that is answered here.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH_PERCENT}`);
  let grows = true;
  const observer = new PerformanceObserver(() => {
    const size = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0;
    if (size < ENOUGH_BYTES === grows) return;
    grows = !grows;
    setFlagsFromString(`--semi-space-growth-factor=${grows ? 2 : 1}`);
  });
  observer.observe({ entryTypes: ['gc'] });
}
