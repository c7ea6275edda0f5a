/**
 * What kind of thing went wrong, which decides what happens next.
 *
 * - `config`: a mistake in the config, a mapping or the command line.
 * - `record`: one bad value; the record becomes a dead letter.
 * - `order`: a record came before one that it needs; a dead letter that is retried after its parents.
 * - `environment`: connection, disk, deadlock; retried from the last checkpoint.
 * - `unreachable`: the same, for a system that cannot be reached at all.
 * - `access`: refused credentials or a missing privilege; stops at once.
 * - `plan`: the world is not as the plan says (a column is gone); planned again once, then stops.
 * - `limit`: a safety limit stopped the run.
 * - `skipped`: left out for now, as the config wishes; taken up by a later run.
 * - `fenced`: another run owns the job.
 * - `stopped`: a person or a signal asked for it; no failure.
 * - `bug`: a fault in trueup itself.
 */
export type Fault =
  | 'config'
  | 'record'
  | 'order'
  | 'environment'
  | 'unreachable'
  | 'access'
  | 'plan'
  | 'limit'
  | 'skipped'
  | 'fenced'
  | 'stopped'
  | 'bug';

interface CodeEntry {
  readonly fault: Fault;
  /** What it means, one sentence. */
  readonly cause: string;
  /** What to do, one or two sentences. */
  readonly remedy: string;
}

/**
 * Every code there is, alphabetical by group. The documentation page of error codes is generated from this table.
 * Faults are told apart by code, never by message text.
 */
export const ERROR_CODES = {
  E_CONFIG_INVALID: {
    fault: 'config',
    cause: 'The config holds something that cannot be meant as it stands.',
    remedy: 'Correct the named line; `trueup validate` lists every problem at once.',
  },
  E_CONFIG_NOT_FOUND: {
    fault: 'config',
    cause: 'There is no config file where one was looked for.',
    remedy: 'Run `trueup init`, change into the folder of the config, or name the file with `--config FILE`.',
  },
  E_CONFIG_SECRET: {
    fault: 'config',
    cause: 'A `${NAME}` or `${file:PATH}` in the config has no value.',
    remedy: 'Set the environment variable or make the file readable; write `$${` for a literal `${`.',
  },
  E_CONNECTOR_UNKNOWN: {
    fault: 'config',
    cause: 'No connector of this name can be found, or what was found is none.',
    remedy: 'Use a known name, a path that begins with `./`, or the name of an installed npm package that exports a connector.',
  },
  E_MAPPING_INVALID: {
    fault: 'config',
    cause: 'A mapping holds something that cannot be meant as it stands, or names a field that the stream does not have.',
    remedy: 'Correct the named line; `trueup discover <connection>` shows the fields.',
  },
  E_MAPPING_KEY: {
    fault: 'config',
    cause: 'The key of the target cannot be computed from the key of the source alone.',
    remedy: 'Map each key field of the target from key fields of the source, or name another `key`.',
  },
  E_MAPPING_TYPE: {
    fault: 'config',
    cause: 'An expression or conversion does not fit the types of its fields.',
    remedy: 'Convert explicitly (`type:`, `string(x)`), or declare what may be lost with `onLoss`.',
  },
  E_STREAM_UNKNOWN: {
    fault: 'config',
    cause: 'The config names a stream, table or column that the source does not have.',
    remedy: 'Check the spelling and the schema; `trueup discover <connection>` lists what there is.',
  },
  E_STREAM_KEY: {
    fault: 'config',
    cause: 'The stream has no key, so its rows cannot be told apart in the target.',
    remedy: 'Add a primary key or a unique index on NOT NULL columns, or name unique columns with `key: [...]`.',
  },
  E_CHANGES_UNSUPPORTED: {
    fault: 'config',
    cause: 'The source cannot deliver changes of this stream by this method.',
    remedy: 'Choose one of the methods that `trueup discover <connection>` lists for the stream.',
  },
  E_COMPARE_UNSUPPORTED: {
    fault: 'config',
    cause: 'Source and target cannot be compared: one of them cannot be read in the way that a comparison needs.',
    remedy: 'Leave the stream out with `--stream`, or use connectors that can scan and look records up by key.',
  },
  E_CHANGES_SLOW: {
    fault: 'config',
    cause: 'A warning: changes of the stream are found, or its records looked up, but that reads more than it should.',
    remedy: 'Nothing, while the stream is small; else run the printed statement, or choose another change method.',
  },
  E_CHANGES_LIMITED: {
    fault: 'config',
    cause: 'A warning: some changes of the stream are delivered late or not at all by this method.',
    remedy: 'Correct the values that the message names, choose another change method, or accept it.',
  },
  E_USAGE: { fault: 'config', cause: 'The command line is not understood.', remedy: 'See `trueup <command> --help`.' },

  E_RECORD_VALUE: {
    fault: 'record',
    cause: 'A value does not fit the type or the constraints of its place in the target.',
    remedy: 'Correct the row in the source and run again, or map the field with a conversion or `onLoss`.',
  },
  E_RECORD_LOSS: {
    fault: 'record',
    cause: 'A value cannot be carried exactly and no policy allows the loss.',
    remedy: 'Declare `onLoss: text | truncate | null` on the field, or change the type of the target column.',
  },
  E_RECORD_UNREADABLE: {
    fault: 'record',
    cause: 'The source delivered a record that cannot be read as its stream declares.',
    remedy: 'Correct the record in the source, or the declared fields of the stream.',
  },
  E_RECORD_TOO_LARGE: {
    fault: 'record',
    cause: 'A record is larger than `maxRecordBytes` or than the target can store.',
    remedy: 'Raise `maxRecordBytes`, or drop the large field in the mapping.',
  },
  E_RECORD_EXPRESSION: {
    fault: 'record',
    cause: 'An expression of the mapping failed on this record.',
    remedy: 'Guard the expression against such values, for example with a condition.',
  },
  E_RECORD_ORDER: {
    fault: 'order',
    cause: 'The record refers to one that the target does not have yet.',
    remedy: 'Nothing, if the parent arrives: the record is tried again after its parents. Else sync the parent stream in the same job.',
  },
  E_RECORD_MISSING: {
    fault: 'order',
    cause: 'A partial change arrived for a record that the target does not have.',
    remedy: 'Nothing: the record is read again from the source.',
  },

  E_UNREACHABLE: {
    fault: 'unreachable',
    cause: 'A connection cannot be made: nobody answers at the address.',
    remedy: 'Check host, port, TLS and firewall, and that the server is up.',
  },
  E_CONNECTION_LOST: {
    fault: 'environment',
    cause: 'A connection broke or went silent in the middle of the work.',
    remedy: 'Nothing, if it passes: the feed is retried from its last checkpoint.',
  },
  E_BUSY: {
    fault: 'environment',
    cause: 'The server refused for a passing reason: deadlock, serialization failure, lock timeout, too many connections, shutdown.',
    remedy: 'Nothing, if it passes: the feed is retried from its last checkpoint.',
  },
  E_RESOURCES: {
    fault: 'environment',
    cause: 'The server has run out of disk, memory or another resource.',
    remedy: 'Free the resource; the next run resumes from the last checkpoint.',
  },
  E_ANSWER: {
    fault: 'environment',
    cause: 'A server answered with something else than the config says: no JSON, no records in their place, an error in place of them.',
    remedy:
      'Look at the answer of the named endpoint, and correct `records`, `errors` or `pages` of the stream; an answer that was cut off is asked for again.',
  },
  E_TIMEOUT: {
    fault: 'environment',
    cause: 'An operation took longer than its limit.',
    remedy: 'Look for locks and load on the server; raise the limit if the operation is rightly slow.',
  },
  E_CIRCUIT_OPEN: {
    fault: 'unreachable',
    cause: 'The circuit breaker of a connection is open: its system failed several times in a row, and is left alone for a while.',
    remedy: 'Look at the last fault, which the message and `trueup status` name; the connection is tried again by itself after `openFor`.',
  },
  E_ACCESS: {
    fault: 'access',
    cause: 'The server refuses the credentials or the role lacks a privilege.',
    remedy: 'Check user, password and database, and grant what the message names.',
  },
  E_HTTP_REDIRECT: {
    fault: 'access',
    cause:
      'A server redirects to where trueup does not follow: to an address without encryption, with a body to another server, too often, or nowhere.',
    remedy: 'Write the address that is meant into the config; the message names where the redirect leads.',
  },
  E_STATE: {
    fault: 'access',
    cause: 'The state file cannot be used: it is not writable, is damaged, or belongs to a newer trueup or another program.',
    remedy: 'Do what the message says, or name another file with `state:` in the config.',
  },
  E_PLAN_CHANGED: {
    fault: 'plan',
    cause: 'A table or column that the plan relies on was dropped, renamed or retyped.',
    remedy: 'Run `trueup plan` to see the difference, then correct the mapping or allow the drift.',
  },

  E_DDL_MANUAL: {
    fault: 'limit',
    cause: 'The target lacks something and `ddl: manual` forbids creating it.',
    remedy: 'Run the printed statements, then run again.',
  },
  E_DRIFT: {
    fault: 'limit',
    cause: 'The fields of a stream changed in a way that its drift policy does not allow.',
    remedy: 'Change the target by hand, or allow it with `drift: { add: evolve, drop: keep, retype: widen }`.',
  },
  E_LETTERS: {
    fault: 'limit',
    cause: 'More records became dead letters than `deadLetters` allows.',
    remedy: 'Look at `trueup dead-letters list`; correct the cause, or raise `stopAfter` or `stopShare`.',
  },
  E_REQUIRE: {
    fault: 'limit',
    cause: 'The guarantee of a stream is weaker than the job requires.',
    remedy: 'Choose another change method, or relax `require`.',
  },
  E_PLAN_HASH: {
    fault: 'limit',
    cause: 'Mapping, key, change method or filter changed since the checkpoint was written.',
    remedy: 'Say what is meant with `--on-change rebackfill` or `--on-change from-now`, or set `onChange` on the job.',
  },
  E_SOURCE_CHANGED: {
    fault: 'limit',
    cause: 'The source is another database than the one that the checkpoint belongs to.',
    remedy: 'Correct the connection, or start over with `trueup backfill <job> --restart`.',
  },
  E_POSITION_LOST: {
    fault: 'limit',
    cause: 'The source can no longer deliver from the checkpoint on.',
    remedy: 'Set `onLostPosition: rebackfill`, or run `trueup backfill <job> --restart`.',
  },
  E_TARGET_LOST: {
    fault: 'limit',
    cause: 'The checkpoint says that records were written, but the target that held them is gone.',
    remedy:
      'Restore the target, or load it again with `trueup run <job> --stream S --full`; `onLostPosition: rebackfill` does so by itself.',
  },
  E_DELETES: {
    fault: 'limit',
    cause: 'More records would be deleted than the safety share allows. Nothing was deleted.',
    remedy: 'Check that the source is whole; raise `maxShare` if the deletes are meant.',
  },
  E_HTTP_BODY: {
    fault: 'limit',
    cause: 'The body of an HTTP answer cannot be taken: it is larger than `maxBodyBytes`, or not in the encoding that it names.',
    remedy: 'Ask for smaller pages, or raise `maxBodyBytes` if answers of this size are right.',
  },
  E_REPAIR: {
    fault: 'limit',
    cause:
      'More records differ than `--max-repair` allows, or without it more would be deleted than the safety share allows. Nothing was repaired.',
    remedy:
      'Look at the samples and at `trueup why`, and check that the source is whole; raise `--max-repair` if they are to be written again.',
  },

  E_CIRCUIT_SKIPPED: {
    fault: 'skipped',
    cause: 'The circuit breaker of a connection is open and `onOpen: skip` says to do without it.',
    remedy: 'Nothing, if it passes: a later run takes the streams up from their checkpoints.',
  },

  E_OWNED: {
    fault: 'fenced',
    cause: 'Another run owns the job.',
    remedy: 'Wait for it to end; a dead owner is taken over as soon as its lease has run out.',
  },
  E_FENCED: {
    fault: 'fenced',
    cause: 'Another run took the job over; nothing of this run was written after that.',
    remedy: 'Nothing: the other run goes on from the last checkpoint.',
  },
  E_STOPPED: {
    fault: 'stopped',
    cause: 'A signal or a time limit asked the run to stop.',
    remedy: 'Run again to go on from the last checkpoint.',
  },
  E_BUG: {
    fault: 'bug',
    cause: 'trueup did something that it should never do.',
    remedy: 'Please report it with the command, the version and the stack trace of `--log-level debug`.',
  },
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  readonly cause?: unknown;
  /** What to do, when the code's own remedy is not specific enough. */
  readonly hint?: string;
  /** Index within the batch of the record that is at fault, when the system names it. Saves the bisecting. */
  readonly recordIndex?: number;
  /** Not before this has passed is there any use in trying again (ms); `Infinity`: not in this run. */
  readonly retryAfterMs?: number;
  /** Statements that an administrator can run to mend it. */
  readonly statements?: readonly string[];
  /** Every problem of a config or mapping at once, with its place: `Diagnostic`s of model/diagnostic.ts, which itself builds on this file. */
  readonly diagnostics?: readonly {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly code: ErrorCode;
    readonly message: string;
    readonly severity: 'error' | 'warning';
  }[];
}

/** The one error class. The message says what failed, where, what was got and what was expected: never a secret, never the values of a row. */
export class TrueupError extends Error {
  override readonly name = 'TrueupError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }

  get fault(): Fault {
    return ERROR_CODES[this.code].fault;
  }
}

export function isTrueupError(value: unknown): value is TrueupError {
  return value instanceof Error && value.name === 'TrueupError' && 'code' in value;
}

/** The fault class of anything that was thrown. What is not a `TrueupError` is a bug, but for an abort. */
export function faultOf(error: unknown): Fault {
  if (isTrueupError(error)) return ERROR_CODES[error.code].fault;
  if (error instanceof Error && error.name === 'AbortError') return 'stopped';
  return 'bug';
}
