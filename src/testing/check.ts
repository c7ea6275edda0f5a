/**
 * One thing that every implementation of a contract must do. A check gets a fixture of its own, fresh and empty, and rejects with what
 * it saw and what it expected. It needs no test runner, so it can be run by hand, or against an implementation with a planted fault.
 */
export interface Check<Fixture> {
  /** Reads on after "it": `delivers every record once from the beginning`. */
  readonly name: string;
  /** Why the check does not apply to this fixture (a capability that is absent); `null`: it applies. */
  skip?(fixture: Fixture): string | null;
  run(fixture: Fixture): Promise<void>;
}

/** Opens a fixture that nothing has written to yet. Called once per check; the suite closes it. */
export type OpenFixture<Fixture> = () => Fixture | Promise<Fixture>;
