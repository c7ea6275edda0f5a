import { readFileSync } from 'node:fs';
import type { ErrorCode } from '../../errors.ts';

/*
 * What goes wrong in one process of trueup, and where. The harness writes it, the connectors that stand between trueup and the real ones read it
 * when they are loaded.
 */

export type FaultAction =
  /** The process ends at once, as by `kill -9`. */
  | { readonly kind: 'kill' }
  /** The step fails with this code; `null`: with an error that has none. Before the step it is not done, after it it is done and not known. */
  | { readonly kind: 'throw'; readonly code: ErrorCode | null }
  /** The step never ends, until its signal is aborted. */
  | { readonly kind: 'hang' }
  /** The step waits until the harness says that it may go on. */
  | { readonly kind: 'pause' }
  /** The clock of the process jumps: `Date` only, as a clock that somebody sets. */
  | { readonly kind: 'jump'; readonly ms: number }
  /** The batch is delivered twice. */
  | { readonly kind: 'twice' }
  /** The first record of the batch is lost on its way. */
  | { readonly kind: 'drop' };

export interface PlannedFault {
  /** The name of a fail point. */
  readonly point: string;
  /** `twice` and `drop` happen before `source.batch`. */
  readonly when: 'before' | 'after';
  /** The how manieth time that the process gets there, from 1. */
  readonly hit: number;
  /** Every time from then on. */
  readonly again?: boolean;
  readonly action: FaultAction;
}

export interface FaultPlan {
  /** File that every step is written to before anything happens at it, one a line: `hit when point`, and `!` where a fault comes to pass. */
  readonly steps: string;
  readonly faults: readonly PlannedFault[];
  /** At most so many of them come to pass, the first that are met. */
  readonly most?: number;
}

/** A step that a process came to. */
export interface Step {
  readonly hit: number;
  readonly when: 'before' | 'after';
  readonly point: string;
  /** Whether a planned fault came to pass here. */
  readonly faulty: boolean;
}

/** Where a process is to be met. */
export type Place = Omit<Step, 'faulty'>;

export function readPlan(file: string): FaultPlan {
  return JSON.parse(readFileSync(file, 'utf8')) as FaultPlan;
}

/** The steps in a file of steps; a last line that was not written to its end is left out. */
export function parseSteps(text: string): Step[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const [hit = '', when, point = '', mark] = line.split(' ');
    return { hit: Number(hit), when: when === 'after' ? 'after' : 'before', point, faulty: mark === '!' };
  });
}

/** The file whose presence lets a paused step go on. */
export function goFile(steps: string, { point, when, hit }: Place): string {
  return `${steps}.${point}.${when}.${hit}.go`;
}

/** `lane.commit before, hit 3: kill`. */
export function faultText({ point, when, hit, action }: PlannedFault): string {
  const what = action.kind === 'throw' ? `throw ${action.code ?? 'an error without a code'}` : action.kind;
  return `${when} ${point}, hit ${hit}: ${what}`;
}
