import { TrueupError } from '../errors.ts';
import type { Source } from '../model/contracts.ts';
import type { KeptInSource } from '../model/log-state.ts';

/** A source of the config, by its connection. */
export interface NamedSource {
  readonly connection: string;
  readonly source: Source;
}

/** What a source keeps for no job of the config. */
export interface Kept extends Pick<KeptInSource, 'name' | 'kind' | 'inUse' | 'retainedBytes'> {
  readonly connection: string;
}

/** How long a source is waited for (ms). */
const ASK_MS = 5_000;

/** What these sources keep for none of the jobs. A source that cannot be asked has nothing to add: its own jobs say so. */
export async function listKept(sources: readonly NamedSource[], jobs: readonly string[], signal: AbortSignal): Promise<Kept[]> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
  const lists = await Promise.all(
    sources.map(async ({ connection, source }) => {
      const kept = (await source.kept?.({ notOf: jobs }, within).catch(() => [])) ?? [];
      return kept.map(({ name, kind, inUse, retainedBytes }): Kept => ({
        connection,
        name,
        kind,
        inUse,
        ...(retainedBytes === undefined ? {} : { retainedBytes }),
      }));
    }),
  );
  // Two connections may lead to one database.
  const seen = new Map(lists.flat().map((one) => [JSON.stringify([one.kind, one.name]), one]));
  return [...seen.values()];
}

/**
 * Gives up what sources keep for a job that is not configured any more, by the job's name or by that of what is kept. Returns what that was, in words; none: nothing is kept under that name.
 *
 * @throws {TrueupError} `E_BUSY` when somebody reads from it
 */
export async function dropKept(sources: readonly NamedSource[], name: string, signal: AbortSignal): Promise<string[]> {
  const dropped: string[] = [];
  for (const { connection, source } of sources)
    for (const one of (await source.kept?.({ of: name }, signal)) ?? []) {
      if (one.inUse)
        throw new TrueupError('E_BUSY', `${one.kind} '${one.name}' on connection '${connection}' is in use: somebody reads from it now.`, {
          hint: 'It may belong to another installation that has a job of this name. Stop that one first.',
        });
      dropped.push(...((await source.release?.(one.feed, signal)) ?? []).map((what) => `${what} on connection '${connection}'`));
    }
  return dropped;
}
