import type { App, AppOptions } from '../api.ts';
import { TrueupError } from '../errors.ts';
import { knownNames } from '../model/suggest.ts';
import type { OnEvent } from '../pipeline/report/events.ts';
import type { Session } from './session.ts';

export interface OpenWith {
  readonly onEvent?: OnEvent;
  /** A config that is on no disk; `file`: what file it stands for. */
  readonly config?: { readonly file?: string; readonly text: string };
  readonly env?: AppOptions['env'];
}

/** Opens what the config describes, and closes it whatever happens. The app is loaded only here, so that `--help` need not. */
export async function withApp<T>(session: Session, work: (app: App) => Promise<T>, options: OpenWith = {}): Promise<T> {
  const { openApp } = await import('../app.ts');
  const file = options.config === undefined ? session.flags.config : options.config.file;
  const app = await openApp({
    ...(file === undefined ? {} : { configFile: file }),
    ...(options.config === undefined ? {} : { configText: options.config.text }),
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    cwd: session.cwd,
    env: options.env ?? session.env,
    log: session.log,
  });
  try {
    session.hide(app.config.secrets);
    session.signals.setGrace(app.config.shutdownGraceMs);
    return await work(app);
  } finally {
    await app.close();
  }
}

/** @throws {TrueupError} `E_USAGE` for a job that the config does not have */
export function requireJobs(app: App, jobs: readonly string[]): void {
  const known = [...app.config.jobs.keys()];
  for (const job of jobs) if (!known.includes(job)) throw unknownName('job', job, known);
}

/** @throws {TrueupError} `E_USAGE` */
export function requireConnection(app: App, connection: string): void {
  const known = [...app.config.connections.keys()];
  if (!known.includes(connection)) throw unknownName('connection', connection, known);
}

function unknownName(what: string, name: string, known: readonly string[]): TrueupError {
  const list = known.length === 0 ? ` The config has no ${what}s.` : knownNames(name, known);
  return new TrueupError('E_USAGE', `unknown ${what} '${name}'.${list}`, {
    hint:
      what === 'job' ? 'Jobs are the names under `jobs` in the config.' : 'Connections are the names under `connections` in the config.',
  });
}
