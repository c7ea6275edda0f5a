import type { Json } from '../../model/json.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/**
 * What a fault asks of a pair beside a source and a target. Whatever a pair does not have it names in `lacks`, with the reason; the faults that need it
 * are then reported as not tried.
 */
export const NEEDS = {
  'proxy-source': 'the source is reached through a TCP proxy (`source.proxy`)',
  'proxy-target': 'the target is reached through a TCP proxy (`target.proxy`)',
  'server-source': 'the server of the source can be stopped and started (`source.server`)',
  'server-target': 'the server of the target can be stopped and started (`target.server`)',
  'standby-source': 'a standby of the source can take its place (`source.failOver`)',
  'standby-target': 'a standby of the target can take its place (`target.failOver`)',
  'disk-target': 'the disk of the target can be filled (`target.disk`)',
  transactions: 'transactions of the source can be held open (`transactions`)',
  ties: 'many records can share one cursor value (`ties`)',
  extremes: 'records with the extremes of every type (`extremes`)',
  bulk: 'records that are many and large (`bulk`)',
  verify: '`trueup verify` can compare the two sides',
} as const;

export type Need = keyof typeof NEEDS;

/** A source and a target that the faults are tried on. */
export interface Pair {
  /** For the table: `postgres → postgres (cursor)`. */
  readonly name: string;
  readonly lacks: Readonly<Partial<Record<Need, string>>>;
  /** A fresh, empty pair, with what is needed. */
  open(needs: readonly Need[]): Promise<OpenPair>;
}

export interface Side {
  /** A built-in connector by name, or the URL of a module (`new URL('./my.ts', import.meta.url).href`, `import.meta.resolve('their-package')`). */
  readonly connector: string;
  /** As in the config. Addresses lead through `proxy` where there is one. */
  readonly options: Readonly<Record<string, Json>>;
  readonly proxy?: TcpProxy;
  readonly server?: FaultyServer;
  /** A standby takes the place of the server, which is gone for good; what the standby had not received is lost. */
  failOver?(): Promise<void>;
}

export interface FaultyServer {
  /** As abruptly as the system allows; what was committed stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface OpenPair {
  readonly source: Side;
  readonly target: Side & { readonly disk?: { fill(): Promise<void>; free(): Promise<void> } };
  /** The rest of the job: `streams`, and whatever it sets beside source and target. */
  readonly job: Readonly<Record<string, Json>>;
  /** Files beside the config (mappings), by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Fills the empty source with this many records, of ordinary values. */
  seed(records: number): Promise<void>;
  /** Changes some records, past trueup. @returns how many records of the target may have to be written for it */
  change(step: number): Promise<number>;
  /** What must be in the target, computed from the source as it is now and without trueup. */
  expected(): Promise<readonly ContentRow[]>;
  /** What is in the target, read without trueup. Nothing where it was not created yet. */
  actual(): Promise<readonly ContentRow[]>;
  /** How often records of the target were written, durably, as the target itself counts it (a trigger). Absent: it cannot count. */
  writes?(): Promise<number>;
  readonly transactions?: {
    readonly kinds: readonly string[];
    /** Begins a transaction of this kind and changes records in it, early stamps included. */
    begin(kind: string): Promise<OpenTransaction>;
  };
  /** Writes this many records that share one cursor value. @returns as `change` */
  ties?(records: number): Promise<number>;
  /** Writes records with the extremes of every type. @returns as `change` */
  extremes?(): Promise<number>;
  /** Writes records that are many times the memory that a run may take. @returns as `change` */
  bulk?(): Promise<number>;
  close(): Promise<void>;
}

export interface OpenTransaction {
  /** @returns as `change` */
  commit(): Promise<number>;
  rollback(): Promise<void>;
}

/** One record in canonical form: of two sides that agree, equal records have equal texts. */
export interface ContentRow {
  readonly key: string;
  readonly content: string;
}
