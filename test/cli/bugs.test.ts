import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTrueup } from '../processes.ts';

/** A connector of somebody, with a bug that only shows when it is used. */
const connector = (body: string) => `
import { defineConnector, z } from 'trueup/sdk';
export default defineConnector({
  name: 'faulty', summary: 'Faulty.', cursorVersion: 1,
  options: z.strictObject({ token: z.string().meta({ secret: true }) }),
  openSource: ({ token }) => ({ async discover() { ${body} }, async close() {} }),
});
`;

describe('cli: a bug', { timeout: 60_000 }, () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trueup-bug-'));
    await writeFile(join(folder, 'trueup.yaml'), 'connections:\n  here: { connector: ./faulty.ts, token: "${TOKEN}" }\n');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const discover = async (body: string, ...flags: string[]) => {
    await writeFile(join(folder, 'faulty.ts'), connector(body));
    return runTrueup(['discover', 'here', ...flags], { cwd: folder, env: { TOKEN: 't0p-s3cret-token' } });
  };

  it.each([
    ['that throws', 'null.oops()'],
    [
      'that nobody catches',
      "setTimeout(() => { throw new TypeError('Cannot read oops') }, 10); await new Promise((done) => setTimeout(done, 5000));",
    ],
    [
      'in a promise that nobody waits for',
      "void Promise.reject(new TypeError('Cannot read oops')); await new Promise((done) => setTimeout(done, 5000));",
    ],
  ])('%s is exit 70 with a short message, in the document too', async (_, body) => {
    const { code, stdout, stderr } = await discover(body, '--json');
    expect(code).toBe(70);
    expect(JSON.parse(stdout)).toMatchObject({
      command: 'discover',
      exitCode: 70,
      error: { code: 'E_BUG', message: expect.stringContaining('Cannot read') as string },
    });
    expect(stderr).toContain('Please report it');
    expect(stdout + stderr).not.toMatch(/\bat .*:\d+:\d+/);
  });

  it('shows its stack with --log-level debug', async () => {
    const { code, stderr } = await discover('null.oops()', '--log-level', 'debug');
    expect(code).toBe(70);
    expect(stderr).toMatch(/faulty\.ts:\d+/);
  });

  it('does not tell a secret, wherever it comes up', async () => {
    for (const body of [
      'throw new Error(`refused ${token}`)',
      'setTimeout(() => { throw new Error(`refused ${token}`) }, 1); await new Promise((done) => setTimeout(done, 5000));',
    ]) {
      const { code, stdout, stderr } = await discover(body, '--json', '--log-level', 'debug');
      expect(code).toBe(70);
      expect(stdout + stderr).toContain('refused [redacted]');
      expect(stdout + stderr).not.toContain('t0p-s3cret-token');
    }
  });
});
