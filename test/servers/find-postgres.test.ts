import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { binariesOnPath, findPostgres, postgresSteps } from './find-postgres.ts';
import type { PostgresOrigin, PostgresSteps } from './find-postgres.ts';

const ORDER = ['url', 'binary', 'embedded', 'path', 'container'] as const;

/** Steps that find nothing, except the one named, and note that they were asked. */
function steps(found: PostgresOrigin | null, asked: string[]): PostgresSteps {
  const step = (origin: PostgresOrigin) => async () => {
    asked.push(origin);
    return origin === found ? { origin, url: `postgres://${origin}`, stop: async () => {} } : null;
  };
  return { url: step('url'), binary: step('binary'), embedded: step('embedded'), path: step('path'), container: step('container') };
}

describe('test/servers: order of search', () => {
  it.each(ORDER)('takes %s when all before it are missing, and asks no further', async (origin) => {
    const asked: string[] = [];
    expect(await findPostgres({}, {}, steps(origin, asked))).toMatchObject({ origin, url: `postgres://${origin}` });
    expect(asked).toEqual(ORDER.slice(0, ORDER.indexOf(origin) + 1));
  });

  it('says what it looked for when there is none', async () => {
    const found = await findPostgres({}, {}, steps(null, []));
    expect(found).toMatchObject({ origin: 'none', reason: expect.stringContaining('TRUEUP_TEST_POSTGRES_URL') });
  });

  it('does not hide that what was asked for does not work', async () => {
    await expect(findPostgres({}, { TRUEUP_TEST_POSTGRES_BIN: '/nowhere/bin' })).rejects.toThrow(/nowhere/);
  });

  it('uses a url from the environment and never stops it', async () => {
    const found = await postgresSteps.url({ TRUEUP_TEST_POSTGRES_URL: 'postgres://there' });
    expect(found).toMatchObject({ origin: 'url', url: 'postgres://there' });
    await found?.stop();
  });
});

describe('test/servers: binaries on the PATH', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trueup-path-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function install(path: string, programs: readonly string[], mode = 0o755): Promise<string> {
    const bin = join(folder, path);
    await mkdir(bin, { recursive: true });
    for (const program of programs) {
      await writeFile(join(bin, program), '');
      await chmod(join(bin, program), mode);
    }
    return bin;
  }

  it('wants both programs, executable, in one folder', async () => {
    const none = await install('client', ['psql', 'postgres']);
    const dead = await install('dead', ['postgres', 'initdb'], 0o644);
    const both = await install('server', ['postgres', 'initdb']);
    expect(binariesOnPath({ PATH: [none, dead, both].join(':') }, '/nowhere')).toBe(both);
    expect(binariesOnPath({ PATH: none }, '/nowhere')).toBeNull();
  });

  it('looks where Debian hides them, the newest version first', async () => {
    await install('debian/9/bin', ['postgres', 'initdb']);
    const newest = await install('debian/15/bin', ['postgres', 'initdb']);
    await install('debian/17/bin', ['psql']); // the client alone
    expect(binariesOnPath({ PATH: '/nowhere' }, join(folder, 'debian'))).toBe(newest);
  });
});
