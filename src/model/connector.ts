import type { z } from 'zod';
import type { StateStore } from './checkpoint.ts';
import type { Source, Target } from './contracts.ts';

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
  openSource?(options: z.output<Options>, context: ConnectorContext): Source;
  openTarget?(options: z.output<Options>, context: ConnectorContext): Target;
  /** A state store that several machines can share. */
  openState?(options: z.output<Options>, context: ConnectorContext): StateStore;
}

/** Declares a connector; the function gives the types and nothing else. */
export function defineConnector<Options extends z.ZodObject>(connector: Connector<Options>): Connector<Options> {
  return Object.freeze(connector);
}
