import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { folder, load } from './fixture.ts';

const ZOD = import.meta.resolve('zod');
const DEFINE = fileURLToPath(new URL('../../src/config/define-config.ts', import.meta.url));
const LOAD = new URL('../../src/config/load-config.ts', import.meta.url).href;
const CONNECTORS = new URL('../../src/config/connectors.ts', import.meta.url).href;

function module(body: string, ending = 'ts'): Readonly<Record<string, string>> {
  return { [`trueup.config.${ending}`]: body };
}

const JOBS = `jobs: { j: { source: 'a', target: 'b', streams: [{ from: 'x', lookback: undefined }] } }`;
const CONNECTIONS = `connections: { a: { connector: 'shop' }, b: { connector: 'shop', port: 1 } }`;

describe('a config that is a module', () => {
  it('is read like YAML, with types from defineConfig', async () => {
    const { config, texts } = await load(
      module(`import { defineConfig } from ${JSON.stringify(DEFINE)};\nexport default defineConfig({ ${CONNECTIONS}, ${JOBS} });`),
    );
    expect(texts).toEqual([]);
    expect(config?.jobs.get('j')?.streams[0]).toMatchObject({
      from: 'x',
      lookbackMs: null,
      at: { file: 'trueup.config.ts', line: 1, column: 1 },
    });
  });

  it('may be JavaScript', async () => {
    expect((await load(module(`export default { ${CONNECTIONS}, ${JOBS} };`, 'js'))).texts).toEqual([]);
  });

  it('may hold its mappings, whose references stay references', async () => {
    const mapping = `{ fields: { id: 'id', mail: { from: 'mail', mask: { hmac: '\${KEY}' } } } }`;
    const { config, texts } = await load(
      module(
        `export default { ${CONNECTIONS}, jobs: { j: { source: 'a', target: 'b', streams: [{ from: 'x', mapping: ${mapping} }] } } };`,
      ),
      { KEY: 'a-masking-key' },
    );
    expect(texts).toEqual([]);
    const source = config?.jobs.get('j')?.streams[0]?.mapping;
    expect(source?.file).toBe('trueup.config.ts');
    expect(JSON.parse(source?.text ?? '')).toEqual({ fields: { id: 'id', mail: { from: 'mail', mask: { hmac: '${KEY}' } } } });
    expect(config?.secrets).toContain('a-masking-key');
  });

  it('names the path of each problem, since it has no lines', async () => {
    const { texts } = await load(
      module(
        `export default { ${CONNECTIONS}, defaults: { memory: 'x' }, jobs: { j: { source: 'a', target: 'c', streams: [{ from: 'x', key: 1 }, { form: 'x' }] } } };`,
      ),
    );
    expect(texts).toEqual([
      "trueup.config.ts:1:1 [E_CONFIG_INVALID] defaults.memory: 'memory' must be a size such as 8MiB or 128MB, not 'x'",
      "trueup.config.ts:1:1 [E_CONFIG_INVALID] jobs.j.streams[0].key: 'key' must be a list, not a number",
      expect.stringMatching(/jobs.j.streams\[1\].form: unknown key 'form'. Known: .*Did you mean 'from'/),
      expect.stringMatching(/jobs.j.target: unknown connection 'c'. Connections: a, b./),
      expect.stringMatching(/jobs.j.streams\[1\]: 'from' is missing/),
    ]);
  });

  it.each([
    ['no default export', 'export const config = {};', /no default export \(it exports config\). Expected `export default defineConfig/],
    ['nothing at all', '', /no default export \(it exports nothing\)/],
    ['a function', 'export default () => ({});', /the default export of the config module is a function/],
    ['a list', 'export default [];', /is a list/],
    ['null', 'export default null;', /is null/],
    [
      'a function inside',
      'export default { connections: { a: { connector() {} } } };',
      /'connections.a.connector' is a function; a config holds plain data only/,
    ],
    ['a date', 'export default { defaults: { timezone: new Date() } };', /'defaults.timezone' is a Date/],
    ['a map', 'export default { jobs: new Map() };', /'jobs' is a Map/],
    ['a cycle', 'const a: any = {}; a.jobs = a; export default a;', /'jobs' refers back/],
    [
      'a depth without end',
      'let a: any = 1; for (let i = 0; i < 200; i++) a = [a]; export default { jobs: a };',
      /nested deeper than 100 levels/,
    ],
    ['a getter that throws', 'export default { get jobs() { throw new Error("no\\njobs"); } };', /cannot be read: no jobs$/],
    [
      'a module that throws',
      'throw new RangeError("bad luck");',
      /^trueup.config.ts:1:1 \[E_CONFIG_INVALID\] the config module failed to load: RangeError: bad luck$/,
    ],
    ['a module that does not parse', 'export default {{', /failed to load: ./],
  ])('refuses %s', async (_what, body, text) => {
    const { config, texts } = await load(module(body));
    expect(config).toBeNull();
    expect(texts).toEqual([expect.stringMatching(text)]);
  });
});

describe('under Node itself, without a bundler in between', () => {
  it('a typed config with a typed plugin beside it loads, and says nothing on stderr', async () => {
    const plugin = `import { z } from '${ZOD}'; interface Options { readonly a?: string } const none: Options = {}; void none;
      export default { name: 'own', summary: '', cursorVersion: 1, options: z.strictObject({ a: z.string().default('x') }), openSource() {}, openTarget() {} };`;
    const cwd = folder({
      'plugin.ts': plugin,
      'trueup.config.ts': `import type { Config } from ${JSON.stringify(DEFINE)}; const config: Config = { connections: { a: { connector: './plugin.ts' } } }; export default config;`,
      'broken/trueup.config.ts': 'export default {{',
      'enum/trueup.config.ts': 'enum A { B } export default { a: A.B };',
    });
    const script = `import { loadConfig } from '${LOAD}'; import { createConnectorLoader } from '${CONNECTORS}';
      const load = (cwd) => loadConfig({ cwd, env: {}, loadConnector: createConnectorLoader({}) });
      const [good, broken, unerasable] = [await load('${cwd}'), await load('${cwd}/broken'), await load('${cwd}/enum')];
      console.log(JSON.stringify({ good: [good.diagnostics, good.config?.connections.get('a')?.options], broken: broken.diagnostics, unerasable: unerasable.diagnostics }));`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { cwd });
    expect(stderr).toBe('');
    const { good, broken, unerasable } = JSON.parse(stdout) as Record<string, unknown>;
    expect(good).toEqual([[], { a: 'x' }]);
    expect(broken).toMatchObject([{ file: 'trueup.config.ts', line: 1, code: 'E_CONFIG_INVALID' }]);
    expect(unerasable).toMatchObject([{ message: expect.stringMatching(/enum/) }]);
  });
});
