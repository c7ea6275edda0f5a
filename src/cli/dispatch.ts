import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';

/** Runs a command inside a session: opens its output, prints the outcome or the failure, keeps the exit code. `command` is its name in the JSON document. */
export type Dispatch = (command: string, work: (session: Session) => Promise<Outcome>) => Promise<void>;
