import { existsSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from '../../errors.ts';
import { jumpClock } from './clock.ts';
import { faultText, goFile } from './fault-plan.ts';
import type { FaultPlan, PlannedFault, Place } from './fault-plan.ts';

/** What is to become of a batch. */
export type BatchFate = 'as it is' | 'twice' | 'drop';

/** Counts the steps of a process, writes them down, and makes happen what is planned. One for all connectors of a process. */
export interface Steps {
  /** A step that can wait. Throws the planned fault. */
  reach(point: string, when: Place['when'], signal?: AbortSignal): Promise<BatchFate>;
  /** A step of a function that gives no promise: it can be killed, thrown from and have its clock set, no more. */
  reachNow(point: string, when: Place['when']): void;
}

const POLL_MS = 5;

export function createSteps(plan: FaultPlan): Steps {
  const out = openSync(plan.steps, 'a');
  const hits = new Map<string, number>();

  let left = plan.most ?? Number.POSITIVE_INFINITY;

  const arrive = (point: string, when: Place['when']): { place: Place; planned: PlannedFault | undefined } => {
    const name = `${when} ${point}`;
    const hit = (hits.get(name) ?? 0) + 1;
    hits.set(name, hit);
    const isPlanned = (fault: PlannedFault): boolean =>
      fault.point === point && fault.when === when && (fault.again === true ? hit >= fault.hit : hit === fault.hit);
    const planned = left > 0 ? plan.faults.find(isPlanned) : undefined;
    if (planned !== undefined) left -= 1;
    // Written at once: nothing is left in a buffer when the process is killed at the next line.
    writeSync(out, `${hit} ${name}${planned === undefined ? '' : ' !'}\n`);
    return { place: { point, when, hit }, planned };
  };

  return {
    async reach(point, when, signal) {
      const { place, planned } = arrive(point, when);
      if (planned === undefined) return 'as it is';
      const { action } = planned;
      switch (action.kind) {
        case 'hang':
          return aborted(signal);
        case 'pause':
          await pause(goFile(plan.steps, place), signal);
          return 'as it is';
        case 'twice':
        case 'drop':
          return action.kind;
        case 'kill':
        case 'throw':
        case 'jump':
          actAtOnce(planned);
          return 'as it is';
      }
    },
    reachNow(point, when) {
      const { planned } = arrive(point, when);
      if (planned !== undefined) actAtOnce(planned);
    },
  };
}

function actAtOnce(planned: PlannedFault): void {
  const { action } = planned;
  if (action.kind === 'kill') die();
  if (action.kind === 'jump') jumpClock(action.ms);
  if (action.kind !== 'throw') return;
  const message = `planned fault ${faultText(planned)}`;
  throw action.code === null ? new Error(message) : new TrueupError(action.code, message);
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal is on its way; not another step until it is there.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    // Without anything to wait for the process would end, which is no way to hang.
    const alive = setInterval(() => {}, 60_000);
    const abort = (): void => {
      clearInterval(alive);
      reject(signal?.reason as Error);
    };
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
  });
}

async function pause(file: string, signal: AbortSignal | undefined): Promise<void> {
  while (!existsSync(file) && signal?.aborted !== true) await sleep(POLL_MS);
}
