import { describe, expect, it } from 'vitest';
import { createConnectorLoader } from '../../src/config/connectors.ts';
import { builtIn, folder, load } from './fixture.ts';

const ZOD = import.meta.resolve('zod');
const SOURCE = `
import { z } from '${ZOD}';
const connector = { name: 'own', summary: 'Own.', cursorVersion: 1, options: z.strictObject({ token: z.string().meta({ secret: true }) }), openSource() { throw new Error(); } };
`;

async function find(files: Readonly<Record<string, string>>, reference: string): Promise<string> {
  const cwd = folder(files);
  const found = await createConnectorLoader(builtIn)(reference, cwd);
  return ('connector' in found ? `${found.connector.name} from ${found.resolved}` : found.problem).replaceAll(cwd, '<cwd>');
}

describe('a connector', () => {
  it('is found by its built-in name', async () => {
    expect(await find({}, 'shop')).toBe('shop from shop');
  });

  it.each(['ts', 'js', 'mjs'])('is found by its path, .%s', async (ending) => {
    expect(
      await find({ 'package.json': '{"type":"module"}', [`c.${ending}`]: `${SOURCE} export default connector;` }, `./c.${ending}`),
    ).toBe(`own from <cwd>/c.${ending}`);
  });

  it('may be a named export, and TypeScript with types', async () => {
    expect(await find({ 'c.ts': `${SOURCE} export { connector }; export type X = string; const y: X = 'z'; void y;` }, './c.ts')).toBe(
      'own from <cwd>/c.ts',
    );
  });

  it.each([
    ['an import condition', '{"name":"trueup-own","type":"module","exports":{".":{"import":"./i.js"}}}'],
    ['an exports text', '{"name":"trueup-own","type":"module","exports":"./i.js"}'],
    ['a main', '{"name":"trueup-own","type":"module","main":"i.js"}'],
  ])('is found in an npm package with %s, from the folder of the config', async (_what, manifest) => {
    const files = {
      'node_modules/trueup-own/package.json': manifest,
      'node_modules/trueup-own/i.js': `${SOURCE} export default connector;`,
    };
    expect(await find(files, 'trueup-own')).toBe('own from <cwd>/node_modules/trueup-own/i.js');
  });

  it('is found in a scoped package', async () => {
    const files = {
      'node_modules/@me/own/package.json': '{"type":"module","main":"i.js"}',
      'node_modules/@me/own/i.js': `${SOURCE} export default connector;`,
    };
    expect(await find(files, '@me/own')).toBe('own from <cwd>/node_modules/@me/own/i.js');
  });

  it('is loaded once', async () => {
    const cwd = folder({
      'c.mjs': `${SOURCE} globalThis.loads = (globalThis.loads ?? 0) + 1; export default { ...connector, name: 'n' + globalThis.loads };`,
    });
    const loadConnector = createConnectorLoader(builtIn);
    const names = await Promise.all([loadConnector('./c.mjs', cwd), loadConnector('./c.mjs', cwd)]);
    expect(names.map((found) => 'connector' in found && found.connector.name)).toEqual(['n1', 'n1']);
  });

  it.each<[what: string, files: Readonly<Record<string, string>>, reference: string, text: RegExp]>([
    [
      'an unknown name',
      {},
      'shp',
      /^unknown connector 'shp'. Known: reader, shop. Did you mean 'shop'\? No npm package of this name either \(looked in <cwd>\/node_modules, .*A path begins with .\/$/,
    ],
    ['a path that is not there', {}, './c.ts', /^there is no connector '.\/c.ts' \(looked at <cwd>\/c.ts\)$/],
    ['a path without its ending', { 'c.ts': '' }, './c', /Did you mean '.\/c.ts'/],
    ['a folder', { 'c/index.ts': '' }, './c', /is a folder/],
    [
      'a module without exports',
      { 'c.mjs': 'export {}' },
      './c.mjs',
      /holds no connector: expected a default export made with defineConnector\({ … }\), found no exports/,
    ],
    ['a module with other exports', { 'c.mjs': 'export const a = 1, b = 2;' }, './c.mjs', /found a, b$/],
    ['an export that is none', { 'c.mjs': 'export default () => 1;' }, './c.mjs', /exports a function where a connector was expected/],
    ['an export of null', { 'c.mjs': 'export default null; export const connector = null;' }, './c.mjs', /exports null where/],
    [
      'an object that lacks the contract',
      { 'c.mjs': 'export default { name: "x", options: {} };' },
      './c.mjs',
      /is no connector: it lacks options \(a zod 4 object schema\), cursorVersion \(a whole number\), openSource or openTarget/,
    ],
    [
      'a module that throws',
      { 'c.mjs': 'throw new TypeError("no\\n  luck");' },
      './c.mjs',
      /^connector '.\/c.mjs' failed to load: TypeError: no luck$/,
    ],
    ['a module that throws a text', { 'c.mjs': 'throw "no luck";' }, './c.mjs', /failed to load: no luck$/],
    ['a module that does not parse', { 'c.mjs': 'export default {' }, './c.mjs', /failed to load: ./],
    ['a module that imports what is not there', { 'c.mjs': 'import "gone-gone";' }, './c.mjs', /failed to load: .*gone-gone/],
    ['a name of the prototype', {}, 'constructor', /^unknown connector 'constructor'/],
    ['an empty path', {}, './', /is a folder/],
    ['a URL of the web', {}, 'https://x.example/c.js', /^unknown connector 'https:/],
    ['a file URL that is none', {}, 'file:c', /is no valid file URL|there is no connector/],
  ])('%s is a sentence', async (_what, files, reference, text) => {
    const problem = await find(files, reference);
    expect(problem).toMatch(text);
    expect(problem).not.toMatch(/\n| at .*:\d+:\d+/);
  });

  it('of a plugin has its options checked, and its secrets hidden', async () => {
    const files = (options: string) => ({
      'own.mjs': `${SOURCE} export default connector;`,
      'trueup.yaml': `connections: { a: { connector: ./own.mjs, ${options} } }`,
    });
    const good = await load(files('token: "s3cret-s3cret"'));
    expect(good.texts).toEqual([]);
    expect(good.config?.secrets).toContain('s3cret-s3cret');
    expect(good.config?.connections.get('a')?.connector).toBe(`${good.config?.baseDir}/own.mjs`);
    expect((await load(files('tokn: x'))).texts).toEqual([
      expect.stringMatching(/1:16 .*'token' is missing/),
      expect.stringMatching(/1:43 .*unknown key 'tokn'. Known: token. Did you mean 'token'/),
    ]);
  });

  it('whose check throws is a problem of its connection', async () => {
    const own = SOURCE.replace(
      'z.strictObject({ token: z.string().meta({ secret: true }) })',
      'z.strictObject({}).refine(() => { throw new Error("broken check"); })',
    );
    expect(
      (await load({ 'own.mjs': `${own} export default connector;`, 'trueup.yaml': 'connections: { a: { connector: ./own.mjs } }' })).texts,
    ).toEqual([expect.stringMatching(/1:16 .*connector 'own' failed to check its options: broken check/)]);
  });
});
