import type { FaultTest } from './fault.ts';
import type { Place } from './fault-plan.ts';
import { before, meet } from './meet.ts';
import type { OpenPair } from './pair.ts';
import type { TcpProxy } from './tcp-proxy.ts';
import type { Trial } from './trial.ts';

type Role = 'source' | 'target';

/** Where the line breaks: while the side is being read from or written to, and in the target before a commit too. */
const PLACES: Readonly<Record<Role, readonly Place[]>> = {
  source: [before('source.batch', 1), before('source.fetchChanges', 1), before('lane.bulkUpsert', 2)],
  target: [before('lane.bulkUpsert', 2), before('lane.commit', 2), before('target.openLane', 1)],
};

/** Small batches, so that every run has several. */
const SMALL = { records: 1_000, batchRows: 5 };

/** Bytes after which a line breaks in the middle of what is being sent. */
const CUTS = [1, 3_000, 20_000, 60_001];

const SILENT_MS = 2_000;
/** Long enough for a commit that has arrived. */
const UNANSWERED_MS = 400;

const breaks = (role: Role): FaultTest => ({
  name: `reset-${role}`,
  summary: `connections of the ${role} are reset, between two steps and in the middle of what is being sent`,
  needs: [`proxy-${role}`],
  settings: SMALL,
  async run(trial) {
    const proxy = proxyOf(trial.pair, role);
    for (const place of PLACES[role]) await broken(trial, place, () => proxy.reset());
    for (const bytes of CUTS) await broken(trial, before('source.fetchChanges', 1), () => proxy.resetAfter(bytes));
    proxy.pass();
    await trial.settle();
  },
});

const falls = (role: Role): FaultTest => ({
  name: `silence-${role}`,
  summary: `nothing passes to or from the ${role} for two seconds, then everything that waited; then a line that breaks after it was silent`,
  needs: [`proxy-${role}`],
  settings: SMALL,
  async run(trial) {
    const proxy = proxyOf(trial.pair, role);
    for (const [index, place] of PLACES[role].entries())
      await broken(trial, place, () => {
        proxy.blackHole();
        setTimeout(() => {
          if (index > 0) proxy.reset();
          proxy.pass();
        }, SILENT_MS);
      });
    await trial.settle();
  },
});

const slows = (role: Role): FaultTest => ({
  name: `slow-${role}`,
  summary: `the way to the ${role} has a delay of 30 ms and 300 kB/s: the run takes longer, and that is all`,
  needs: [`proxy-${role}`],
  settings: { records: 1_000, batchRows: 100 },
  async run(trial) {
    const proxy = proxyOf(trial.pair, role);
    proxy.delay(30);
    proxy.throttle(300_000);
    trial.counts.faults += 1;
    trial.expectEnd(await trial.run(), [0]);
    if (trial.counts.retries > 0) trial.findings.push(`a slow line cost ${trial.counts.retries} retries`);
    proxy.pass();
    await trial.settle();
  },
});

const vanishes = (role: Role): FaultTest => ({
  name: `half-open-${role}`,
  summary: `the ${role} vanishes from its connections without a word, in the middle of the work: it is noticed`,
  needs: [`proxy-${role}`],
  settings: SMALL,
  async run(trial) {
    const proxy = proxyOf(trial.pair, role);
    await broken(trial, PLACES[role][0] as Place, () => proxy.halfOpen('server'));
    await trial.settle();
  },
});

const unanswered: FaultTest = {
  name: 'answer-lost',
  summary: 'a commit arrives in the target and its answer does not: what became of it is found out, not assumed',
  needs: ['proxy-target'],
  settings: SMALL,
  async run(trial) {
    const proxy = proxyOf(trial.pair, 'target');
    // A change has two commits at least, whatever its records travel as.
    for (const hit of [1, 2, 1])
      await broken(trial, before('lane.commit', hit), () => {
        proxy.blackHole('toClient');
        setTimeout(() => {
          proxy.reset();
          proxy.pass();
        }, UNANSWERED_MS);
      });
    await trial.settle();
  },
};

export const NETWORK: readonly FaultTest[] = [
  unanswered,
  ...(['source', 'target'] as const).flatMap((role) => [breaks(role), falls(role), slows(role), vanishes(role)]),
];

/** Meets a run at a place, breaks something, lets it go on: it must succeed. */
async function broken(trial: Trial, place: Place, fault: () => void): Promise<void> {
  const running = await meet(trial, place);
  fault();
  trial.counts.faults += 1;
  running.go(place);
  trial.expectEnd(await running.end, [0]);
  await trial.change();
}

function proxyOf(pair: OpenPair, role: Role): TcpProxy {
  const { proxy } = pair[role];
  if (proxy === undefined) throw new Error(`The pair has no ${role}.proxy, and does not say so in \`lacks\`.`);
  return proxy;
}
