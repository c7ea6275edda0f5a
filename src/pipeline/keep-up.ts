import { faultOf } from '../errors.ts';
import { delay } from '../resilience/retry.ts';
import { deleteGone, isSnapshot, nextCompareOf, readSnapshot } from './compare/compare-group.ts';
import type { RunSignals } from './job-context.ts';
import type { Group, JobRun } from './job-run.ts';
import { readChanges, readEmbedded } from './read/read-changes.ts';

/** How often a run that follows compares a stream whose changes nothing else tells of (ms), and the share of the time that this may take. */
const SNAPSHOT_EVERY_MS = 60_000;
const SNAPSHOT_SHARE = 0.05;

/** Longest time that a timer can be set to (ms). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Reads what changed up to now. */
export async function catchUp(run: JobRun, group: Group): Promise<void> {
  if (isSnapshot(group)) await readSnapshot(run, group);
  else {
    await readChanges(run, group, false);
    await readEmbedded(run, group);
  }
}

/** Reads what changes until stopped, and compares when that is due: between two complete reads, with nothing on its way to the target. */
export async function followGroup(run: JobRun, group: Group): Promise<void> {
  if (isSnapshot(group)) return followSnapshot(run, group);
  if (group.embeds.length > 0) return followEmbedding(run, group);
  while (!run.signals.stop.aborted) {
    const due = await nextCompareOf(run, group);
    if (due === null) return readChanges(run, group, true);
    await until(run, due, (signals) => readChanges(run, group, true, signals));
    if (run.context.now() < due) continue;
    await readChanges(run, group, false);
    await deleteGone(run, group);
  }
}

/**
 * Records and the children in them change in turns: all feeds are read to their end, one after another, and then again. Were they to follow side by side, a
 * document that was read before a child changed could be written after the one that was read because of it.
 */
async function followEmbedding(run: JobRun, group: Group): Promise<void> {
  while (!run.signals.stop.aborted) {
    const began = run.context.now();
    await catchUp({ ...run, follow: false }, group);
    const due = await nextCompareOf(run, group);
    if (due !== null && due <= run.context.now() && !run.signals.stop.aborted) await deleteGone(run, group);
    const pauseMs = Math.max(run.context.job.maxDelayMs, run.context.now() - began);
    await delay(pauseMs, run.signals.stop);
  }
}

/** The run has just compared everything. */
async function followSnapshot(run: JobRun, group: Group): Promise<void> {
  let pauseMs = SNAPSHOT_EVERY_MS;
  for (;;) {
    await delay(pauseMs, run.signals.stop);
    const began = run.context.now();
    await readSnapshot(run, group);
    await deleteGone(run, group);
    pauseMs = Math.max(SNAPSHOT_EVERY_MS, (run.context.now() - began) / SNAPSHOT_SHARE);
  }
}

/** Does the work with a stop of its own at an instant. */
async function until(run: JobRun, atMs: number, work: (signals: RunSignals) => Promise<void>): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), Math.min(Math.max(0, atMs - run.context.now()), LONGEST_TIMER_MS));
  try {
    await work({ stop: AbortSignal.any([run.signals.stop, over.signal]), abort: run.signals.abort });
  } catch (error) {
    // Cut off while it went wrong: if that lasts, what is read next runs into it, and is retried.
    const passes = ['environment', 'unreachable', 'stopped'].includes(faultOf(error));
    if (!over.signal.aborted || run.signals.stop.aborted || !passes) throw error;
  } finally {
    clearTimeout(timer);
  }
}
