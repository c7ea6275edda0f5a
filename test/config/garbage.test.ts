import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { createConnectorLoader } from '../../src/config/connectors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { LoadedConfig } from '../../src/config/load-config.ts';
import { configSchema } from '../../src/config/schema.ts';
import { alternatives, definitionOf } from '../../src/config/schema-walk.ts';
import { builtIn, load } from './fixture.ts';

const loadConnector = createConnectorLoader(builtIn);
let cwd = '';
beforeAll(() => void (cwd = mkdtempSync(join(tmpdir(), 'trueup-garbage-'))));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** Loads a text and checks what must hold for any text: no throw; a config, or problems that each name a place inside the text. */
async function loadText(text: string): Promise<LoadedConfig> {
  const loaded = await loadConfig({ cwd, text, file: 'trueup.yaml', env: {}, loadConnector });
  const lines = text.split(/\r\n|\r|\n/);
  const errors = loaded.diagnostics.filter((one) => one.severity === 'error');
  expect(loaded.config === null).toBe(errors.length > 0);
  for (const { file, line, column, message } of loaded.diagnostics) {
    expect(file).toBe('trueup.yaml');
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines.length + 1);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(message).not.toMatch(/\n|\bat .*:\d+:\d+\)?$|undefined|\[object|Invalid input|\.\. [A-Z]/);
    expect(message.length).toBeGreaterThan(5);
  }
  return loaded;
}

/** The paths of every key that the schema knows, with `x` for names and 0 for entries of lists. */
function pathsOf(schema: z.core.$ZodType, path: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  const members = alternatives(schema).flatMap((one): [string | number, z.core.$ZodType][] => {
    const { shape, element, valueType } = definitionOf(one);
    if (shape !== undefined) return Object.entries(shape);
    if (element !== undefined) return [[0, element]];
    return valueType === undefined ? [] : [['x', valueType]];
  });
  return [path, ...members.flatMap(([key, member]) => pathsOf(member, [...path, key]))];
}

const PATHS = pathsOf(configSchema);

const VALID = {
  state: 'sqlite:x.db',
  defaults: {
    batch: { rows: 5, bytes: '1MiB' },
    memory: '8MiB',
    shutdownGrace: '1s',
    timezone: 'UTC',
    maxRecordBytes: 2000,
    onLoss: 'text',
    keepRuns: 7,
  },
  connections: { x: { connector: 'shop' }, y: { connector: 'shop', port: 1 } },
  jobs: { x: { source: 'x', target: 'y', schedule: { cron: '* * * * *' }, streams: [{ from: 'a' }, { from: 's.*', to: '{table}' }] } },
};

/** A copy of the valid config with a value put at a path; what is missing on the way is made. */
function withValue(path: readonly (string | number)[], value: unknown): unknown {
  if (path.length === 0) return value;
  const root: Record<string | number, unknown> = structuredClone(VALID);
  let place = root;
  for (const [index, key] of path.slice(0, -1).entries()) {
    const next = place[key];
    if (typeof next !== 'object' || next === null) place[key] = typeof path[index + 1] === 'number' ? [] : {};
    place = place[key] as Record<string | number, unknown>;
  }
  place[path.at(-1) as string | number] = value;
  return root;
}

const word = fc.constantFrom(
  '',
  ' ',
  '*',
  '.',
  '\\',
  '${',
  '$${x}',
  '${x}',
  '${file:/dev/null}',
  '__proto__',
  'constructor',
  '0',
  '-1',
  '1e9',
  '10s',
  '-5m',
  '8MiB',
  '101%',
  'true',
  'null',
  '* * * * *',
  '@daily',
  '99999999999-1 * * * *',
  'a.b.c',
  '{table}',
  '{',
  '\u0000',
  '\uD800',
  '👩‍👩‍👧',
  '../../etc/passwd',
  'file:///x',
  'node:fs',
  'a'.repeat(5000),
  'postgres://u:p@h/d',
);
const garbage = fc.oneof(
  word,
  fc.constantFrom(null, true, false, 0, -1, 1.5, 1e308, 2 ** 60),
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'grapheme' }),
  fc.array(word, { maxLength: 3 }),
  fc.dictionary(word, word, { maxKeys: 3 }),
);

describe('garbage', () => {
  it('knows the paths of every key of the schema', () => {
    const texts = PATHS.map((path) => path.join('.'));
    expect(texts).toEqual(
      expect.arrayContaining([
        'state',
        'defaults.batch.rows',
        'connections.x.limits',
        'jobs.x.streams.0.drift.add',
        'jobs.x.streams.0.onDelete.mark',
        'jobs.x.schedule.cron',
        'jobs.x.deadLetters.stopShare',
      ]),
    );
    expect(texts.length).toBeGreaterThan(60);
  });

  it('starts from a config without a problem', async () => {
    expect((await loadText(JSON.stringify(VALID))).diagnostics).toEqual([]);
  });

  it('in any key gives a config, or problems with their places', { timeout: 120_000 }, async () => {
    const refused = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...PATHS), garbage, async (path, value) => {
        const { config } = await loadText(JSON.stringify(withValue(path, value), null, 1));
        if (config === null) refused.add(path.join('.'));
      }),
      { seed: 20261124, numRuns: 1500 },
    );
    // Most keys were refused at least once: the garbage does reach them.
    expect(refused.size).toBeGreaterThan(PATHS.length * 0.9);
  });

  it('in several keys at once names each', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(['memory', 'shutdownGrace', 'timezone', 'maxRecordBytes', 'onLoss', 'keepRuns'], { minLength: 2 }),
        async (keys) => {
          const defaults = Object.fromEntries(keys.map((key) => [key, [key]]));
          const { diagnostics } = await loadText(JSON.stringify({ ...VALID, defaults }, null, 1));
          expect(diagnostics.map((one) => /'(\w+)'/.exec(one.message)?.[1])).toEqual(expect.arrayContaining(keys));
          expect(new Set(diagnostics.map((one) => one.line)).size).toBe(keys.length);
        },
      ),
      { seed: 7, numRuns: 50 },
    );
  });

  it('in any text of YAML gives problems with their places', async () => {
    const line = fc.constantFrom(
      'connections:',
      '  a: { connector: shop }',
      'jobs:',
      '\t- x',
      '  - ',
      '? ',
      ': :',
      '&a [*a, *a]',
      '*nope',
      '!!js/function x',
      '<<: *a',
      '---',
      '...',
      '%YAML 1.2',
      '"',
      "'",
      '{',
      '}',
      '[',
      '|',
      '>-',
      '#',
      '@',
      '`',
      '\uFEFF',
      'a: 1\na: 2',
      '__proto__: { x: 1 }',
      '1: 2',
      '~: ~',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 8 }),
        fc.constantFrom('\n', '\r\n'),
        async (lines, end) => void (await loadText(lines.join(end))),
      ),
      { seed: 11, numRuns: 1000 },
    );
  });

  it.each<[what: string, content: string | Uint8Array, text: RegExp]>([
    ['an empty file', '', /^trueup.yaml:1:1 \[E_CONFIG_INVALID\] the file is empty. Expected keys: connections, jobs/],
    ['a file of comments', '# nothing\n', /the file is empty/],
    ['a text', 'hello', /the config must be keys and values, not text/],
    ['a list', '- a', /the config must be keys and values, not a list/],
    ['a tab for indentation', 'connections:\n\ta: x', /^trueup.yaml:2:1 .*[Tt]ab/],
    ['bytes that are no UTF-8', new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe]), /the file is not UTF-8 text/],
    [
      'a bomb of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join()}]`).join('\n')}`,
      /alias/i,
    ],
    ['a wall of brackets', '['.repeat(100_000), /nested deeper/],
    ['a huge file', `# ${'x'.repeat(5 * 2 ** 20)}`, /more than the 4194304 that are read/],
    ['a key twice', 'connections: {}\nconnections: {}', /^trueup.yaml:2:1 .*unique/],
    ['a prototype', 'connections: {}\n__proto__: { polluted: 1 }', /^trueup.yaml:2:1 .*unknown key '__proto__'/],
    ['a prototype among connections', 'connections:\n  __proto__: { connector: shop }', /^trueup.yaml:2:3 .*unknown key '__proto__'/],
  ])('%s is named', async (_what, content, text) => {
    const { config, texts } = await load({ 'trueup.yaml': content });
    expect(config).toBeNull();
    expect(texts[0]).toMatch(text);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('of ten thousand streams is loaded in seconds', async () => {
    const streams = Array.from({ length: 10_000 }, (_, index) => ({ from: `public.t${index}`, key: 1 }));
    const started = performance.now();
    const { diagnostics } = await loadText(JSON.stringify({ ...VALID, jobs: { x: { source: 'x', target: 'y', streams } } }, null, 1));
    expect(diagnostics).toHaveLength(10_000);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('letters of any kind', () => {
  it('stand at the right place: Windows line ends, umlauts, emoji, a byte order mark', async () => {
    const { texts } = await load('\uFEFFconnections:\r\n  a: { connector: shop } # für 👩‍👩‍👧\r\n  ü: { connector: shop }\r\njobs: {}\r\n');
    expect(texts).toEqual([expect.stringMatching(/^trueup.yaml:3:3 .*'ü' is no valid name in 'connections'/)]);
  });
});
