import type { Log } from '../model/connector.ts';
import type { Limiter } from '../model/limiter.ts';

export interface HttpClientOptions {
  /** What relative addresses start from. A path is part of it: `https://crm.example/v1` and `/items` give `https://crm.example/v1/items`. */
  readonly baseUrl: string;
  readonly timeouts: {
    /** Until a connection stands, TLS included. */
    readonly connectMs: number;
    /** From the request to the last header of the answer. */
    readonly headersMs: number;
    /** Between two parts of the body, while somebody waits for them. */
    readonly idleMs: number;
  };
  /** Of one body, after decompression. */
  readonly maxBodyBytes: number;
  /** `context.limiter`. Absent: no limits. */
  readonly limiter?: Limiter | undefined;
  /** `attempts`: tries of one request in all. `maxDelayMs`: longest wait between two of them; a server that asks for more ends the request with E_BUSY. */
  readonly retry: { readonly attempts: number; readonly maxDelayMs: number };
  /**
   * Headers that prove who asks: sent to the origin of `baseUrl` alone. Asked for every try, so it keeps what it has got. `renew`: the server has just refused
   * what was given, which is `refused`; called once for each request. Requests that are refused together ask one after another: get something new only while `refused` is what you have. Holds no turn of the limiter while it works.
   */
  readonly authorize?: ((signal: AbortSignal, how: AuthorizeHow) => Promise<Readonly<Record<string, string>>>) | undefined;
  /** Kept out of every error and log line, where a path or a cause would show them. */
  readonly secrets?: Iterable<string> | undefined;
  readonly log: Log;
}

export interface AuthorizeHow {
  readonly renew: boolean;
  /** `null`: nothing was refused. */
  readonly refused: Readonly<Record<string, string>> | null;
}

export interface HttpRequest {
  readonly method: string;
  /** Absolute, or relative to `baseUrl`. */
  readonly url: string;
  /** Names in lower case. To another origin (a redirect) only those go that describe the content and what is accepted. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /**
   * Whether sending it twice is as good as once: then it is tried again when nobody knows whether the server has seen it. Default: for GET, HEAD, OPTIONS, PUT
   * and DELETE, and for whatever has an `idempotency-key` header.
   */
  readonly idempotent?: boolean;
  readonly signal: AbortSignal;
}

/** An answer of any status that is not retried: 404 and 401 are answers too. The body is to be read or cancelled; one that nobody reads is cancelled after `idleMs`. */
export interface HttpAnswer {
  readonly status: number;
  /** The address that answered, after redirects. */
  readonly url: string;
  /** Names in lower case; several of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed, once. Leaving the loop early cancels the rest. */
  readonly body: AsyncIterable<Uint8Array>;
  text(): Promise<string>;
  bytes(): Promise<Uint8Array>;
  /** Gives up what is left of the body. Harmless when called again or after the end. */
  cancel(): void;
}

export interface HttpClient {
  /**
   * @throws {TrueupError} after the last try: `E_UNREACHABLE` no connection, `E_TIMEOUT` no headers in time, `E_CONNECTION_LOST` broke or went silent, `E_BUSY` 408, 425,
   * 429 and 5xx; at once: `E_HTTP_REDIRECT`, and in the body `E_HTTP_BODY`. An abort throws the signal's reason.
   */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** Ends open connections. Harmless when called twice. */
  close(): Promise<void>;
}
