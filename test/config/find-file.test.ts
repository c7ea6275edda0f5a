import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createConnectorLoader } from '../../src/config/connectors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { builtIn, folder } from './fixture.ts';

const CONFIG = 'connections: {}\n';

function at(cwd: string, request: { readonly file?: string; readonly text?: string } = {}) {
  return loadConfig({ cwd, env: {}, loadConnector: createConnectorLoader(builtIn), ...request });
}

describe('the config file', () => {
  it('is found in the folder or in one above it, YAML before modules', async () => {
    const root = folder({
      'trueup.yml': CONFIG,
      'trueup.config.ts': 'throw 1',
      'deep/er/x': '',
      'deep/trueup.config.js': 'export default { connections: {} };',
    });
    expect((await at(root)).config?.file).toBe(join(root, 'trueup.yml'));
    expect((await at(join(root, 'deep/er'))).config?.file).toBe(join(root, 'deep/trueup.config.js'));
  });

  it('may be named', async () => {
    const root = folder({ 'x/prod.yaml': CONFIG });
    expect((await at(root, { file: 'x/prod.yaml' })).config).toMatchObject({ file: join(root, 'x/prod.yaml'), baseDir: join(root, 'x') });
    expect((await at(root, { file: 'x/gone.yaml' })).diagnostics).toMatchObject([
      { code: 'E_CONFIG_NOT_FOUND', file: 'x/gone.yaml', message: `there is no file 'x/gone.yaml' (looked at ${root}/x/gone.yaml)` },
    ]);
  });

  it('is not found: every folder that was looked in is named', async () => {
    const root = folder({ 'a/b/x': '' });
    const { config, diagnostics } = await at(join(root, 'a/b'));
    expect(config).toBeNull();
    expect(diagnostics).toMatchObject([
      { code: 'E_CONFIG_NOT_FOUND', message: expect.stringContaining(`${root}/a/b, ${root}/a, ${root},`) },
    ]);
    expect(diagnostics[0]?.message).toContain('trueup.yaml, trueup.yml, trueup.config.ts or trueup.config.js');
  });

  it('may be a text that is on no disk', async () => {
    const root = folder({});
    const { config, diagnostics } = await at(root, { text: CONFIG, file: 'copy.yaml' });
    expect(diagnostics).toEqual([]);
    expect(config).toMatchObject({ file: join(root, 'copy.yaml'), baseDir: root });
    expect((await at(root, { text: 'x: 1', file: 'copy.yaml' })).diagnostics[0]?.file).toBe('copy.yaml');
    // What stands for no file has no place that anybody could look at.
    expect((await at(root, { text: 'x: 1' })).diagnostics[0]?.file).toBe('');
  });

  it('is named as a person in the folder would name it', async () => {
    const root = folder({ 'trueup.yaml': 'x: 1', 'deep/x': '' });
    expect((await at(root)).diagnostics[0]?.file).toBe('trueup.yaml');
    expect((await at(join(root, 'deep'))).diagnostics[0]?.file).toBe(join(root, 'trueup.yaml'));
  });
});
