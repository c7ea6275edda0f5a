import { TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { ErrorCode } from '../../src/sdk.ts';

/** What the driver says of an error beside its text. */
interface DriverError extends Error {
  readonly code?: number | string;
  /** Of an error of Node.js itself, which the driver passes on when a connection breaks while a command is being written or read. */
  readonly syscall?: string;
  readonly codeName?: string;
  hasErrorLabel?(label: string): boolean;
}

/** By the server's number. https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const CODES: Readonly<Record<number, ErrorCode>> = {
  6: 'E_CONNECTION_LOST', // HostUnreachable
  7: 'E_CONNECTION_LOST', // HostNotFound
  89: 'E_CONNECTION_LOST', // NetworkTimeout
  9001: 'E_CONNECTION_LOST', // SocketException
  11: 'E_ACCESS', // UserNotFound
  13: 'E_ACCESS', // Unauthorized
  18: 'E_ACCESS', // AuthenticationFailed
  31: 'E_ACCESS', // RoleNotFound
  334: 'E_ACCESS', // MechanismUnavailable
  391: 'E_ACCESS', // ReauthenticationRequired
  8000: 'E_ACCESS', // Atlas
  20: 'E_PLAN_CHANGED', // IllegalOperation: no transactions here
  24: 'E_BUSY', // LockTimeout
  26: 'E_PLAN_CHANGED', // NamespaceNotFound
  27: 'E_PLAN_CHANGED', // IndexNotFound
  43: 'E_CONNECTION_LOST', // CursorNotFound
  46: 'E_BUSY', // LockBusy
  48: 'E_PLAN_CHANGED', // NamespaceExists
  50: 'E_TIMEOUT', // MaxTimeMSExpired
  64: 'E_BUSY', // WriteConcernFailed
  79: 'E_ACCESS', // UnknownReplWriteConcern
  85: 'E_PLAN_CHANGED', // IndexOptionsConflict
  86: 'E_PLAN_CHANGED', // IndexKeySpecsConflict
  91: 'E_BUSY', // ShutdownInProgress
  100: 'E_BUSY', // UnsatisfiableWriteConcern
  112: 'E_BUSY', // WriteConflict
  117: 'E_BUSY', // ConflictingOperationInProgress
  133: 'E_BUSY', // FailedToSatisfyReadPreference
  134: 'E_BUSY', // ReadConcernMajorityNotAvailableYet
  146: 'E_RESOURCES', // ExceededMemoryLimit
  166: 'E_PLAN_CHANGED', // CommandNotSupportedOnView
  175: 'E_PLAN_CHANGED', // QueryPlanKilled: the collection or an index was dropped
  189: 'E_BUSY', // PrimarySteppedDown
  202: 'E_TIMEOUT', // NetworkInterfaceExceededTimeLimit
  225: 'E_BUSY', // TransactionTooOld
  237: 'E_CONNECTION_LOST', // CursorKilled
  239: 'E_BUSY', // SnapshotTooOld
  244: 'E_BUSY', // TransactionExceededLifetimeLimitSeconds aborts
  246: 'E_BUSY', // SnapshotUnavailable
  251: 'E_BUSY', // NoSuchTransaction
  260: 'E_POSITION_LOST', // InvalidResumeToken
  262: 'E_TIMEOUT', // ExceededTimeLimit
  280: 'E_POSITION_LOST', // ChangeStreamFatalError: the event of the token is not found
  286: 'E_POSITION_LOST', // ChangeStreamHistoryLost
  290: 'E_BUSY', // TransactionExceededLifetimeLimitSeconds
  292: 'E_RESOURCES', // QueryExceededMemoryLimitNoDiskUseAllowed
  10058: 'E_BUSY',
  10107: 'E_BUSY', // NotWritablePrimary
  11600: 'E_BUSY', // InterruptedAtShutdown
  11601: 'E_BUSY', // Interrupted
  11602: 'E_BUSY', // InterruptedDueToReplStateChange
  13388: 'E_BUSY', // StaleConfig
  13435: 'E_BUSY', // NotPrimaryNoSecondaryOk
  13436: 'E_BUSY', // NotPrimaryOrSecondary
  14031: 'E_RESOURCES', // OutOfDiskSpace
  // What one document is at fault for.
  2: 'E_RECORD_VALUE', // BadValue
  14: 'E_RECORD_VALUE', // TypeMismatch
  15: 'E_RECORD_VALUE', // Overflow
  28: 'E_RECORD_VALUE', // PathNotViable
  52: 'E_RECORD_VALUE', // DollarPrefixedFieldName
  53: 'E_RECORD_VALUE', // InvalidIdField
  54: 'E_RECORD_VALUE', // NotSingleValueField
  55: 'E_RECORD_VALUE', // InvalidDBRef
  56: 'E_RECORD_VALUE', // EmptyFieldName
  57: 'E_RECORD_VALUE', // DottedFieldName
  66: 'E_RECORD_VALUE', // ImmutableField
  121: 'E_RECORD_VALUE', // DocumentValidationFailure
  171: 'E_RECORD_VALUE', // CannotIndexParallelArrays
  11000: 'E_RECORD_VALUE', // DuplicateKey
  11001: 'E_RECORD_VALUE',
  16755: 'E_RECORD_VALUE', // a geo index cannot take the value
  17280: 'E_RECORD_TOO_LARGE', // KeyTooLong
  10334: 'E_RECORD_TOO_LARGE', // BSONObjectTooLarge
};

/** What the server's own text of these would say with a value in it, said without. */
const RECORD_WORDS: Readonly<Record<number, string>> = {
  2: 'the server refuses a value',
  14: 'a value has a type that the server does not take there',
  52: 'a name begins with $',
  53: 'the _id is an array, a regular expression or undefined',
  57: 'a name holds a dot',
  66: 'the _id of a document cannot be changed',
  121: 'the validator of the collection refuses the document',
  171: 'an index cannot take two arrays of one document',
  11000: 'a unique index already has this value in another document',
  11001: 'a unique index already has this value in another document',
  16755: 'a geospatial index cannot take the value',
  17280: 'a value is too large for an index',
  10334: 'the document is larger than the 16 MiB that MongoDB holds',
};

/** Classes of the driver's own errors, by their names: what has no number from the server. */
const CLASSES: Readonly<Record<string, ErrorCode>> = {
  MongoServerSelectionError: 'E_UNREACHABLE',
  MongoNetworkError: 'E_CONNECTION_LOST',
  MongoNetworkTimeoutError: 'E_CONNECTION_LOST',
  MongoPoolClearedError: 'E_CONNECTION_LOST',
  MongoPoolClosedError: 'E_CONNECTION_LOST',
  MongoPoolClearedOnNetworkError: 'E_CONNECTION_LOST',
  PoolClearedOnNetworkError: 'E_CONNECTION_LOST',
  MongoNotConnectedError: 'E_CONNECTION_LOST',
  MongoServerClosedError: 'E_CONNECTION_LOST',
  MongoTopologyClosedError: 'E_CONNECTION_LOST',
  MongoClientClosedError: 'E_CONNECTION_LOST',
  MongoExpiredSessionError: 'E_CONNECTION_LOST',
  MongoCursorExhaustedError: 'E_CONNECTION_LOST',
  MongoWaitQueueTimeoutError: 'E_BUSY',
  WaitQueueTimeoutError: 'E_BUSY',
  MongoOperationTimeoutError: 'E_TIMEOUT',
  MongoParseError: 'E_CONFIG_INVALID',
  MongoMissingCredentialsError: 'E_ACCESS',
  MongoCompatibilityError: 'E_PLAN_CHANGED',
};

export interface FaultContext {
  /** `host:port/database`, without credentials. */
  readonly address: string;
  /** Whether the connection was still being made. */
  readonly connecting?: boolean;
}

/**
 * Anything that the driver threw as a TrueupError of the right class, told by number, label and class, never by text. A record fault carries neither
 * the server's text nor the original error, because both quote values of the document.
 */
export function mongoFault(error: unknown, { address, connecting = false }: FaultContext): TrueupError {
  if (isTrueupError(error)) return error;
  const fault = (error instanceof Error ? error : new Error('a thrown value that is no error')) as DriverError;
  if (typeof fault.code === 'number' && fault.name !== 'MongoNetworkError') return serverFault(fault, fault.code, address);
  const code = CLASSES[fault.name] ?? (isOfNetwork(fault) ? 'E_CONNECTION_LOST' : 'E_BUG');
  if (code === 'E_CONFIG_INVALID')
    return new TrueupError(code, `The \`url\` or an option of the mongodb connection to ${address} is not understood by the driver.`);
  if (code === 'E_UNREACHABLE' || (connecting && code === 'E_CONNECTION_LOST'))
    return new TrueupError('E_UNREACHABLE', `${address} cannot be reached: ${fault.message}.`, { cause: error });
  return new TrueupError(code, `${address}: ${fault.message}.`, { cause: error });
}

const SOCKET_CALLS: readonly unknown[] = ['read', 'write', 'shutdown', 'connect', 'getaddrinfo'];
/** Of streams that ended under a command. */
const STREAM_CODES: readonly unknown[] = ['ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_WRITE_AFTER_END'];

function isOfNetwork(error: DriverError): boolean {
  const isSocket = SOCKET_CALLS.includes(error.syscall) || STREAM_CODES.includes(error.code);
  return isSocket || hasLabel(error, ['NetworkError', 'ResumableChangeStreamError']);
}

function serverFault(error: DriverError, number: number, address: string): TrueupError {
  const passing = hasLabel(error, ['TransientTransactionError', 'RetryableWriteError']) ? 'E_BUSY' : 'E_BUG';
  const code = CODES[number] ?? passing;
  const name = error.codeName ?? '';
  if (code.startsWith('E_RECORD')) return recordFault(number, name);
  return new TrueupError(code, `${address}: ${error.message} (${[name, number].join(' ').trim()}).`, { cause: error });
}

/** A record fault by the server's number, without any text that it sent. */
export function recordFault(number: number, name = ''): TrueupError {
  const words = RECORD_WORDS[number] ?? 'the server refuses the document';
  return new TrueupError(
    CODES[number]?.startsWith('E_RECORD') === true ? (CODES[number] as ErrorCode) : 'E_RECORD_VALUE',
    `${words} (${[name, number].join(' ').trim()}).`,
  );
}

/** Whether this number of the server is one document's fault. */
export function isRecordNumber(number: number): boolean {
  return CODES[number]?.startsWith('E_RECORD') === true;
}

function hasLabel(error: DriverError, labels: readonly string[]): boolean {
  return labels.some((label) => error.hasErrorLabel?.(label) === true);
}
