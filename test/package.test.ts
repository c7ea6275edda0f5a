import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const vitestVersion = (createRequire(import.meta.url)('vitest/package.json') as { version: string }).version;

/** Of an installed package, this checkout out of sight: its node_modules/.bin, which npm puts first, would answer for what is missing. */
const env = {
  ...process.env,
  PATH: [
    dirname(process.execPath),
    ...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes(join('node_modules', '.bin'))),
  ].join(delimiter),
};

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { cwd, env, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')} failed\n${stdout}\n${stderr}`, { cause: error });
  }
}

describe('the package, installed in an empty folder', { timeout: 120_000 }, () => {
  let folder: string;
  let packed: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trueup-package-'));
    // prepack builds with this checkout's compiler. npm prints what prepack says before its own answer.
    const answer = await run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], root);
    const [tarball] = JSON.parse(answer.slice(answer.indexOf('[\n'))) as [{ filename: string; files: { path: string }[] }];
    packed = tarball.files.map(({ path }) => path);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'somebody', private: true, type: 'module' }));
    const wanted = [join(folder, tarball.filename), `vitest@${vitestVersion}`];
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...wanted], folder);
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('holds what it needs and nothing else', () => {
    const expected =
      /^(bin\/trueup\.js|dist\/(src|connectors)\/.+\.(js|d\.ts)|dist\/LICENSES\.txt|schema\/(config|mapping)\.json|(README|CHANGELOG)\.md|LICENSE|package\.json)$/;
    expect(packed.filter((path) => !expected.test(path))).toEqual([]);
    expect(packed.filter((path) => /\.(test|soak)\./.test(path))).toEqual([]);
    for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md', 'schema/config.json', 'schema/mapping.json', 'dist/LICENSES.txt'])
      expect(packed).toContain(path);
  });

  it('runs as npx trueup, from what was compiled', async () => {
    expect(await run('npx', ['--no', '--', 'trueup', '--version'], folder)).toBe(`${version}\n`);
  });

  it('knows its connectors', async () => {
    expect(await run('npx', ['--no', '--', 'trueup', 'connectors'], folder)).toMatch(/postgres/);
  });

  it('gives programs its API, connectors their SDK, and editors the schemas', async () => {
    await writeFile(
      join(folder, 'program.mjs'),
      `import * as api from 'trueup';
       import * as sdk from 'trueup/sdk';
       import config from 'trueup/schema/config.json' with { type: 'json' };
       import mapping from 'trueup/schema/mapping.json' with { type: 'json' };
       console.log(JSON.stringify({
         api: typeof api.defineConfig, sdk: typeof sdk.defineConnector, same: api.TrueupError === sdk.TrueupError,
         schemas: [typeof config.$schema, typeof mapping.$schema],
       }));`,
    );
    const found = JSON.parse(await run('node', ['program.mjs'], folder)) as unknown;
    expect(found).toEqual({ api: 'function', sdk: 'function', same: true, schemas: ['string', 'string'] });
  });

  it('gives the fault kit to programs without a test runner, and the connectors of its trials find what they stand before', async () => {
    await writeFile(
      join(folder, 'faults.mjs'),
      `import { FAULTS, faultsCommand } from 'trueup/testing/faults';
       let out = '';
       const code = await faultsCommand({ args: ['--list'], pairs: [], write: (text) => (out += text) });
       const { builtIn } = await import(new URL('./faulty-connector.js', import.meta.resolve('trueup/testing/faults')));
       console.log(JSON.stringify([code, FAULTS.length > 20 && out.includes('kill-steps'), (await builtIn('postgres')).name]));`,
    );
    expect(JSON.parse(await run('node', ['faults.mjs'], folder))).toEqual([0, true, 'postgres']);
  });

  it('keeps its insides to itself', async () => {
    await writeFile(join(folder, 'inside.mjs'), `await import('trueup/dist/src/app.js');`);
    await expect(run('node', ['inside.mjs'], folder)).rejects.toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });

  it('lets third parties run the contract suites', async () => {
    const test = `import { expect, it } from 'vitest';
      import { checkpointStoreContract, sourceContract, targetContract } from 'trueup/testing';
      it('are there', () => expect([sourceContract, targetContract, checkpointStoreContract].map((one) => typeof one)).toEqual(['function', 'function', 'function']));`;
    await writeFile(join(folder, 'contract.test.js'), test);
    expect(await run('npx', ['--no', '--', 'vitest', 'run'], folder)).toMatch(/1 passed/);
  });

  it('carries a connector of somebody else, packed and installed beside it, which passes the contracts', { timeout: 300_000 }, async () => {
    const connector = join(folder, 'connector-sqlite');
    await cp(join(root, 'examples/connector-sqlite'), connector, { recursive: true, filter: (path) => !/node_modules|dist/.test(path) });
    for (const name of ['@types/node', 'undici-types'])
      await cp(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], connector);
    expect(await run('npx', ['--no', '--', 'vitest', 'run', 'contract', 'target', 'source'], connector)).toMatch(/3 passed/);
    await run('npm', ['pack', '--ignore-scripts', '--silent'], connector);
    const wanted = join(connector, 'trueup-connector-sqlite-0.1.0.tgz');
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', wanted], folder);

    const shop = new DatabaseSync(join(folder, 'shop.db'));
    shop.exec(`create table orders (id integer primary key, note text); insert into orders values (1, 'one'), (2, 'two')`);
    const config = {
      connections: {
        shop: { connector: 'trueup-connector-sqlite', path: 'shop.db' },
        copy: { connector: 'trueup-connector-sqlite', path: 'copy.db' },
      },
      jobs: { copy: { source: 'shop', target: 'copy', streams: [{ from: 'orders' }] } },
    };
    await writeFile(join(folder, 'trueup.yaml'), JSON.stringify(config));
    await run('npx', ['--no', '--', 'trueup', 'run'], folder);
    shop.exec('delete from orders where id = 1');
    shop.close();
    const trueup = async (...args: string[]) =>
      JSON.parse(await run('npx', ['--no', '--', 'trueup', ...args, '--json'], folder)) as unknown;
    expect(await trueup('run')).toMatchObject({ jobs: [{ streams: [{ read: 1, deleted: 1 }] }] });
    expect(await trueup('verify', 'copy')).toMatchObject({ consistent: true });
    const copy = new DatabaseSync(join(folder, 'copy.db'), { readOnly: true });
    expect(copy.prepare('select id, note from orders').all()).toEqual([{ id: 2, note: 'two' }]);
    copy.close();
  });

  it('has types that a strict consumer compiles against', async () => {
    await writeFile(
      join(folder, 'consumer.ts'),
      `import { defineConnector, TrueupError } from 'trueup/sdk';
       import type { Cursor, Source } from 'trueup/sdk';
       export const cursor: Cursor = { after: '1' };
       export const identity: (source: Source, signal: AbortSignal) => Promise<string> = (source, signal) => source.identity(signal);
       export const known: boolean = new Error('x') instanceof TrueupError;
       export const define: typeof defineConnector = defineConnector;`,
    );
    const options = { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, skipLibCheck: false, types: ['node'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['consumer.ts'] }));
    // The consumer's own compiler and @types/node are this checkout's.
    await cp(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), { recursive: true });
    await cp(join(root, 'node_modules/undici-types'), join(folder, 'node_modules/undici-types'), { recursive: true });
    expect(await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], folder)).toBe('');
  });
});
