import type { Command, Measured } from './measure.ts';

/** Where the cases run: servers of the bench's own, and what was found on the machine. */
export interface Bench {
  readonly rows: number;
  readonly postgres: { readonly source: string; readonly target: string };
  /** `null`: there is no mongod on this machine. */
  readonly mongodb: string | null;
  /** `null`: psql is not installed, so nothing can be set beside the pipe. */
  readonly psql: string | null;
  /** trueup as it is installed: the bundle of `npm run build`. */
  trueup(...args: readonly string[]): Command['argv'];
  readonly scratch: string;
  /** SQL on one of the two databases. */
  query<Row>(side: 'source' | 'target', text: string): Promise<Row[]>;
  log(line: string): void;
}

/** One way of doing the work of a case. */
export interface Contender {
  readonly name: string;
  /** Puts everything back to where the work begins; not measured. */
  reset(): Promise<void>;
  command(): Command | Promise<Command>;
  /** The part of a run that counts (ms), where the process had to make its data first. Absent: the whole process. */
  wallMs?(measured: Measured): number;
  /** Throws when the work was not done; not measured. May return what is worth noting. */
  check(measured: Measured): Promise<Readonly<Record<string, number>> | void>;
}

/** The same work done by several contenders, in turn. */
export interface Case {
  readonly name: string;
  readonly title: string;
  /** Records that one run moves, for rows/s. */
  readonly rows: number;
  /** What the others are divided by. */
  readonly reference: string;
  /** Of the ratio of trueup's (first) contender to the reference, as wall time: at most. */
  readonly target?: number;
  /** Once, before the first round. */
  prepare(): Promise<void>;
  /** After `prepare`. */
  contenders(): Promise<readonly Contender[]>;
}

/** What a case needs and the machine lacks, instead of the case. */
export interface Missing {
  readonly name: string;
  readonly missing: string;
}

export type CaseMaker = (bench: Bench) => Case | Missing;
