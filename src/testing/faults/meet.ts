import type { Running } from './command.ts';
import type { Place } from './fault-plan.ts';
import type { RunOptions, Trial } from './trial.ts';

/**
 * Starts a command and meets it at a place, where it waits until it is let `go`. The fault that happens meanwhile falls between two known steps.
 *
 * @throws when the command ends before it gets there
 */
export async function meet(trial: Trial, place: Place, options: RunOptions = {}): Promise<Running> {
  const pause = { ...place, action: { kind: 'pause' } } as const;
  const running = trial.start({ ...options, faults: [...(options.faults ?? []), pause] });
  if (await running.reached(place)) return running;
  const { code, stdout, stderr } = await running.end;
  throw new Error(`The command never came to ${place.when} ${place.point}, hit ${place.hit}; it ended with ${code}:\n${stdout}\n${stderr}`);
}

export function before(point: string, hit: number): Place {
  return { point, when: 'before', hit };
}

export function after(point: string, hit: number): Place {
  return { point, when: 'after', hit };
}
