/** A table as its tool writes it, in the target database. */
export interface TargetTable {
  readonly schema: string;
  readonly name: string;
}

/** One tool in one test: the databases that it copies between and the folder that is its own from run to run. */
export interface Place {
  /** Connection URLs, with a user, a password and a port. */
  readonly source: string;
  readonly target: string;
  /** Kept between the runs of one test: config, state. Empty at first. */
  readonly dir: string;
  /** Where `--install` puts tools, outside of the repository. */
  readonly toolsDir: string;
}

export interface Command {
  readonly argv: readonly string[];
  /** Added to what every tool gets: PATH, HOME (its folder), no telemetry. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A Python environment of its own, so that the tools' dependencies stay apart. */
export interface PythonPackages {
  /** Folder below the tools' folder. */
  readonly name: string;
  /** Pinned: `name==version`. */
  readonly requirements: readonly string[];
}

export type Availability = { readonly version: string } | { readonly absent: string };

/** How to run one tool in one configuration, and what to expect of it. */
export interface Tool {
  readonly name: string;
  /** The setting, in the words of a reader who knows the tool. */
  readonly configuration: string;
  /** What the tool itself promises about rows that commit late, as its documentation puts it. */
  readonly promise: string;
  readonly packages: readonly PythonPackages[];
  /** Looks only; installs nothing. */
  find(toolsDir: string): Promise<Availability>;
  /** Writes what the tool needs into the place's folder. Once per place, before the first run. */
  prepare(place: Place): Promise<void>;
  /** Brings the target up to date once and ends. */
  command(place: Place): Command;
  readonly writes: TargetTable;
  /** Tables that the tool documents as its own, which are no leftovers: whole names, as `schema.table`. */
  readonly bookkeeping: RegExp;
}
