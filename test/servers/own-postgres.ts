import { EMBEDDED_POSTGRES_MISSING, startEmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';
import type { EmbeddedPostgres, EmbeddedPostgresOptions } from '../../src/demo/embedded-postgres.ts';
import { binariesOnPath } from './find-postgres.ts';

/** A server of one's own, to kill, stop or fill; whoever starts it stops it. Needs binaries: a url in the environment is not enough. */
export async function launchOwnPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const settings = { fsync: 'off', wal_level: 'logical', max_prepared_transactions: 10, ...options.settings };
  const named = process.env['TRUEUP_TEST_POSTGRES_BIN'];
  const start = (binDir: string | undefined) => startEmbeddedPostgres({ ...(binDir ? { binDir } : {}), ...options, settings });
  return start(named).catch((error: NodeJS.ErrnoException) => {
    const onPath = error.code === EMBEDDED_POSTGRES_MISSING ? binariesOnPath(process.env) : null;
    if (onPath === null) throw error;
    return start(onPath);
  });
}
