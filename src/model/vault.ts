/** What a connector may do with its secret while nobody else has it. */
export interface HeldSecret {
  /** `null`: nothing is kept yet. */
  read(): string | null;
  /** Durable when `withSecret` returns. */
  keep(secret: string): void;
}

/** Small texts that must survive the process and be shown to nobody, such as a refresh token that the server has replaced. */
export interface Vault {
  /**
   * Runs `work` while no other process that uses the same state works with a secret, and keeps what it kept. When `work` throws, nothing changes.
   *
   * @param name unique among all connections
   * @throws {TrueupError} `E_STATE` when it cannot be kept, or `E_TIMEOUT` when another process holds it for minutes
   */
  withSecret<Result>(name: string, signal: AbortSignal, work: (secret: HeldSecret) => Promise<Result>): Promise<Result>;
}
