import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../tools/node/link.mjs', import.meta.url));

describe.skipIf(process.platform === 'win32')('tools/node: the command node', () => {
  let folder: string;
  const link = (nodeArgs: string[] = []) => {
    const args = [...nodeArgs, join(folder, 'tools/node/link.mjs')];
    return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' });
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trueup-link-'));
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
    await cp(script, join(folder, 'tools/node/link.mjs'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is linked where an old npm has removed it, and left alone where it is', async () => {
    const name = `node-${process.platform}-${process.arch}`;
    await mkdir(join(folder, 'node_modules', name));
    await writeFile(join(folder, 'node_modules', name, 'package.json'), JSON.stringify({ bin: { node: 'bin/node' } }));
    link();
    link();
    expect(await readlink(join(folder, 'node_modules/.bin/node'))).toBe(`../${name}/bin/node`);
  });

  it('may be missing where the Node.js of the machine is new enough', () => {
    expect(link()).toBe('');
  });

  it('is asked for by name where it is not', async () => {
    const old = join(folder, 'old.mjs');
    await writeFile(old, `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } });`);
    expect(() => link(['--import', old])).toThrow(/install Node\.js 24/);
  });
});
