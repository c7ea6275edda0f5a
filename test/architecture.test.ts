import { globSync, readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkArchitecture } from './architecture/check.ts';
import { importsOf } from './architecture/imports.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function read(...patterns: string[]): Map<string, string> {
  const paths = globSync(patterns, { cwd: root }).map((path) => path.split(sep).join('/'));
  return new Map(paths.map((path) => [path, readFileSync(`${root}/${path}`, 'utf8')]));
}

describe('architecture', () => {
  it('keeps its layers, has no cycles, and names its files', () => {
    const files = read('src/**/*.ts', 'connectors/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'tools/node/bin/*.js', 'bin/*.js');
    expect(files.size).toBeGreaterThan(20);
    expect(checkArchitecture(files)).toEqual([]);
  });
});

/** What an example imports that somebody else's package could not. */
function strangeImports(files: ReadonlyMap<string, string>): string[] {
  const allowed = /^(\.\/[\w-]+\.ts|\.\.\/src\/[\w-]+\.ts|node:.+|trueup\/(sdk|testing|testing\/faults)|[a-z][\w-]*)$/;
  return [...files].flatMap(([path, text]) =>
    importsOf(text).flatMap((name) => (allowed.test(name ?? '') ? [] : [`${path}: imports ${name}`])),
  );
}

describe('architecture: examples', () => {
  it('import trueup by the names that it publishes, and nothing else of it', () => {
    const files = read('examples/*/{src,test}/*.ts', 'docs/examples/*.ts');
    expect(files.size).toBeGreaterThan(20);
    expect(strangeImports(files)).toEqual([]);
    const planted = new Map([
      ['examples/x/src/a.ts', `import { a } from '../../../src/sdk.ts'; import b from 'trueup/dist/b.js'; import 'trueup/sdk';`],
    ]);
    expect(strangeImports(planted).length).toBe(2);
  });
});

/** The rest of the project, for files planted into it. */
const AROUND = {
  'src/errors.ts': '',
  'src/sdk.ts': '',
  'src/app.ts': '',
  'src/model/shape.ts': '',
  'src/mapping/plan.ts': '',
  'src/pipeline/loop.ts': '',
  'connectors/memory/source.ts': '',
};

describe('architecture: a planted fault is found', () => {
  it.each<[rule: string, planted: Record<string, string>, problem: RegExp | null]>([
    [
      'nothing, when all is well',
      { 'src/pipeline/x.ts': `import { a } from '../model/shape.ts'; import '../errors.ts'; import pg from 'pg';` },
      null,
    ],
    ['the wrong way', { 'src/model/x.ts': `import { a } from '../mapping/plan.ts';` }, /model\/x.ts: imports src\/mapping\/plan.ts, which/],
    ['the wrong way, for a type', { 'src/state/x.ts': `import type { A } from '../pipeline/loop.ts';` }, /imports src\/pipeline/],
    ['the wrong way, by export', { 'src/model/x.ts': `export type { A } from '../mapping/plan.ts';` }, /imports src\/mapping/],
    ['the wrong way, dynamically', { 'src/model/x.ts': `const a = await import('../mapping/plan.ts');` }, /imports src\/mapping/],
    ['the composition root from below', { 'src/pipeline/x.ts': `import { app } from '../app.ts';` }, /imports src\/app.ts/],
    ['a folder without a layer', { 'src/extra/x.ts': '' }, /has no layer yet/],
    ['a connector past the barrel', { 'connectors/memory/x.ts': `import { a } from '../../src/model/shape.ts';` }, /imports src\/model/],
    [
      'a connector past the barrel, for errors',
      { 'connectors/memory/x.ts': `import { a } from '../../src/errors.ts';` },
      /imports src\/errors/,
    ],
    ['a connector of another', { 'connectors/file/x.ts': `import { a } from '../memory/source.ts';` }, /imports connectors\/memory/],
    ['a connector from the core', { 'src/pipeline/x.ts': `import { a } from '../../connectors/memory/source.ts';` }, /imports connectors/],
    ['nothing, in the table of connectors', { 'connectors/index.ts': `const a = () => import('./memory/source.ts');` }, null],
    [
      'a cycle',
      { 'src/model/a.ts': `import './b.ts';`, 'src/model/b.ts': `export * from './a.ts';` },
      /model\/a.ts → src\/model\/b.ts → src\/model\/a.ts/,
    ],
    ['a cycle of types', { 'src/model/a.ts': `import type { A } from './a.ts';` }, /cycle/],
    ['an empty name', { 'src/model/cell-utils.ts': '' }, /is called 'utils'/],
    ['an empty name of a folder', { 'test/helpers/cell.ts': '' }, /is called 'helpers'/],
    ['a long file', { 'src/model/x.ts': 'a();\n'.repeat(401) }, /has 401 lines/],
    ['a missing extension', { 'src/model/x.ts': `import { a } from './shape';` }, /without its extension/],
    ['a compiled extension', { 'src/model/x.ts': `import { a } from './shape.js';` }, /without its extension/],
    ['a file that is not there', { 'src/model/x.ts': `import { a } from './gone.ts';` }, /does not exist/],
    ['a barrel', { 'src/model/index.ts': '' }, /is a barrel/],
    ['a barrel in a connector', { 'connectors/memory/index.ts': `export { a } from './source.ts';` }, /is a barrel/],
    [
      'nothing, in the definition of a connector',
      { 'connectors/memory/index.ts': `export { a } from './source.ts'; export default defineConnector({});` },
      null,
    ],
    ['the project by its published name', { 'src/model/x.ts': `import 'trueup/sdk';` }, /use relative paths/],
    ['I/O in a pure folder', { 'src/mapping/x.ts': `import { readFile } from 'node:fs/promises';` }, /does no I\/O/],
    ['a builtin without its prefix', { 'src/state/x.ts': `import { join } from 'path';` }, /write 'node:path'/],
    ['a computed import', { 'src/pipeline/x.ts': 'await import(name);' }, /imports something computed/],
  ])('%s', (_rule, planted, problem) => {
    const found = checkArchitecture(new Map(Object.entries({ ...AROUND, ...planted })));
    if (problem === null) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringMatching(problem)]);
  });
});

describe('architecture: imports are found', () => {
  it.each<[source: string, imports: (string | null)[]]>([
    [`import a from 'a'; import * as b from "b"; import c, { d as e } from 'c'; import 'f';`, ['a', 'b', 'c', 'f']],
    [`import type { A } from 'a'; import { type B, c } from 'b'; import a, * as d from 'd';`, ['a', 'b', 'd']],
    [
      `export * from 'a'; export * as b from 'b'; export { c } from 'c'; export type * from 'd'; export type { E } from 'e';`,
      ['a', 'b', 'c', 'd', 'e'],
    ],
    [`import {\n  // from 'no'\n  a, /* from 'no' */\n} from\n  'a';`, ['a']],
    [`import data from './a.json' with { type: 'json' };`, ['./a.json']],
    [`const t: import('a').T = await import("b"); import('c', { with: {} }); import(name); import('./' + x);`, ['a', 'b', 'c', null, null]],
    [`// import 'a'\n/* import 'b' */ const s = "import 'c'"; const u = 'it\\'s import "d"';`, []],
    ['const t = `import "a" ${await import("b")} ${`${{ a: { b: 1 } }} ${import("c")}`} } import "d"`; import "e";', ['b', 'c', 'e']],
    [`const r = /import 'a'/; const d = a / b / c; const q = /[/'"]/.test(x); import 'b';`, ['b']],
    [`import.meta.url; object.import('a'); export const from = 'a'; export { x }; const y = 'from';`, []],
    [`export { from }; const a = 1;\nimport 'b';`, ['b']],
    [`#!/usr/bin/env node\nimport 'a';`, ['a']],
  ])('%s', (source, imports) => {
    expect(importsOf(source)).toEqual(imports);
  });
});
