import type { z } from 'zod';
import type { StateStore } from './checkpoint.ts';
import type { ChangeMethod, Source, Target } from './contracts.ts';
import type { GuaranteeParts } from './guarantee.ts';
import type { Limiter } from './limiter.ts';
import type { Vault } from './vault.ts';

/** The part of a logger that connectors use. Bound to the connection; never pass a secret or a row's values. */
export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface ConnectorContext {
  /** The connection's name in the config, for messages and `application_name`. */
  readonly connection: string;
  readonly log: Log;
  /** Folder that relative paths in the options start from. */
  readonly baseDir: string;
  /** The limits of the connection, to be asked for each request. Absent: there are none. */
  readonly limiter?: Limiter;
  /** Where it may keep secrets that must outlive the process. Absent: nowhere. */
  readonly vault?: Vault;
}

/**
 * What a source promises by one change method in one situation. For the docs, made by the function that makes the guarantee of a run, with names that stand
 * for any other: `public.orders`, `updated_at`.
 */
export interface SourcePromise {
  readonly by: ChangeMethod;
  /** What holds for the stream: `a table, by a timestamptz column`. */
  readonly situation: string;
  readonly parts: GuaranteeParts;
}

export interface Promises {
  /** Change methods in the order in which they are offered. */
  readonly source?: readonly SourcePromise[];
  /** The best place for the checkpoints of what the target holds: in the same transaction, beside it, or only in the state store. */
  readonly target?: {
    readonly checkpoints: 'atomic' | 'beside' | 'state';
    /** In the same transaction where a job asks for it. */
    readonly atomicOnRequest?: true;
  };
}

/**
 * A plugin that can open a source, a target, a state store, or several of them, for one kind of system.
 *
 * `options` is the one declaration of what a connection takes: a strict zod object whose members carry a `description`, defaults, and
 * `.meta({ secret: true })` where the value must never be shown. Types, checks, help, JSON Schema, docs and redaction derive from it.
 * The `open…` functions connect on first use, not before.
 */
export interface Connector<Options extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly summary: string;
  readonly options: Options;
  /** Raised when the cursors it writes change their meaning; an older checkpoint is then refused. */
  readonly cursorVersion: number;
  /** What can be said of its guarantees without connecting. */
  readonly promises?: Promises;
  /**
   * `requests`: it takes a turn of `context.limiter` for every request that it makes, so that `limits` count requests. Absent: the engine keeps the limits, and a
   * rate is refused.
   */
  readonly limits?: 'requests';
  openSource?(options: z.output<Options>, context: ConnectorContext): Source;
  openTarget?(options: z.output<Options>, context: ConnectorContext): Target;
  /** A state store that several machines can share. */
  openState?(options: z.output<Options>, context: ConnectorContext): StateStore;
}

/** Declares a connector; the function gives the types and nothing else. */
export function defineConnector<Options extends z.ZodObject>(connector: Connector<Options>): Connector<Options> {
  return Object.freeze(connector);
}
