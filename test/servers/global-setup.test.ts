import { afterEach, describe, expect, it, vi } from 'vitest';
import setup from './global-setup.ts';

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
    const teardown = await setup(handed, async () => ({ origin: 'embedded', url: 'postgres://there', stop }));
    expect(handed.provided).toEqual([['postgres', { origin: 'embedded', url: 'postgres://there' }]]);
    expect(stop).not.toHaveBeenCalled();
    await teardown();
    expect(stop).toHaveBeenCalledOnce();
  });

  it('says loudly that tests are skipped when there is none', async () => {
    vi.stubEnv('TRUEUP_TEST_REQUIRE', 'mongodb');
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const handed = project();
    await setup(handed, async () => none);
    expect(handed.provided).toEqual([['postgres', none]]);
    expect(write).toHaveBeenCalledWith(expect.stringContaining('SKIPPED: nothing here'));
  });

  it.each(['postgres', 'mongodb, postgres'])('fails the run when there is none and it is required: %s', async (required) => {
    vi.stubEnv('TRUEUP_TEST_REQUIRE', required);
    await expect(setup(project(), async () => none)).rejects.toThrow(/TRUEUP_TEST_REQUIRE.*nothing here/);
  });
});
