import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch } from '../../../src/sdk.ts';
import { readBlocker } from '../session/blocker.ts';
import { takeFence } from './clock.ts';
import type { LiveFence } from './clock.ts';
import type { ChangesCursor } from './cursor.ts';
import { openNow, passSetup, readDrain, startPass } from './drain.ts';
import type { DrainSetup, PassStart } from './drain.ts';
import { settleFences } from './fence.ts';
import { readPass } from './pass.ts';

/** Fences waited for at the same time; with more, every second one is let go. */
const MAX_LIVE = 32;
/** Progress without records is told this often. */
const PROGRESS_MS = 10_000;
/** A read that cannot wait for a fence repeats what is in flight, and without an index it scans: it may take this share of the time. */
const DUTY = 0.2;
const MAX_PAUSE_MS = 60_000;

export interface FollowSetup extends DrainSetup {
  readonly pollMs: number;
  readonly signal: AbortSignal;
}

/**
 * Like a drain, then on until the signal. Where stamps are instants or counters and fences pass, each row is read once, up to the newest fence
 * passed. Otherwise, and when no fence passes for `fence.maxWait`, it goes on in drains, which wait for nobody.
 */
export async function* readFollow(setup: FollowSetup, from: ChangesCursor): AsyncGenerator<Batch> {
  let cursor = yield* readDrain(setup, from);
  let live: readonly LiveFence[] = [];
  const wait = waiting(setup);
  for (;;) {
    await pauseFor(wait.pauseMs(), setup.signal);
    const start = await startPass(setup, cursor);
    const fenced = await nextFence(setup, start, live);
    live = fenced.live;
    const upper = fenced.passed;
    if (upper === null && fenced.waits && !(await wait.isOver(start))) continue;
    const began = performance.now();
    cursor = yield* readPass(setup.reader, start.cursor, passSetup(setup, start, upper, wait.mayTell()));
    wait.read(performance.now() - began, upper !== null);
  }
}

/** Takes one more fence and looks which have passed. `waits`: it is worth waiting for the others. */
async function nextFence(setup: FollowSetup, start: PassStart, before: readonly LiveFence[]) {
  const waits = start.rule === 'fence' && (start.reading.orderKind === 'instant' || start.reading.orderKind === 'counter');
  if (!waits) return { passed: null, live: [], waits };
  const session = await setup.reader.session();
  const fence = await takeFence(setup.context, session, start.reading);
  const { passed, pending } = settleFences([...before, ...(fence === null ? [] : [fence])], await openNow(setup.context, session));
  return { passed, live: pending.length > MAX_LIVE ? pending.filter((_, index) => index % 2 === 0) : pending, waits };
}

function waiting({ context, reader, pollMs }: FollowSetup) {
  const { maxWait } = context.server.options.fence;
  let passedAt = performance.now();
  let toldAt = performance.now();
  let pause = pollMs;
  let named = false;
  return {
    pauseMs: () => pause,
    /** Whether no fence has passed for too long; says once who is to blame. */
    async isOver({ reading }: PassStart): Promise<boolean> {
      if (performance.now() - passedAt < maxWait) return false;
      if (!named) {
        const { name: relation } = reading.relation;
        const blocker = await readBlocker(await reader.session(), {
          ownPids: context.pids,
          minAgeMs: 0,
          stream: reading.ref.name,
          relation,
        });
        context.server.context.log.warn(
          { stream: reading.ref.name, blocker: blocker?.by, since: blocker?.since },
          `an open transaction holds back '${reading.ref.name}'; reading on without waiting, rows that are in flight are delivered again`,
        );
        named = true;
      }
      return true;
    },
    mayTell(): boolean {
      if (performance.now() - toldAt < PROGRESS_MS) return false;
      toldAt = performance.now();
      return true;
    },
    read(tookMs: number, fenced: boolean): void {
      pause = fenced ? pollMs : Math.min(Math.max(pollMs, tookMs / DUTY), MAX_PAUSE_MS);
      if (!fenced) return;
      passedAt = performance.now();
      named = false;
    },
  };
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
