import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import { connectors } from '../../connectors/index.ts';
import { connectionFromUrl, copyConfigText, initConfigText } from '../../src/cli/config-text.ts';
import { createConnectorLoader } from '../../src/config/connectors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { parseYaml } from '../../src/model/yaml.ts';
import { generatedFiles } from '../../tools/generate.ts';
import { load } from './fixture.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8');

function validator(path: string): (yaml: string) => string[] {
  const ajv = new Ajv.default({ allErrors: true, strict: false });
  const validate = ajv.compile(JSON.parse(read(path)) as object);
  return (yaml) => {
    validate(parseYaml(yaml, path).data);
    return (validate.errors ?? [])
      .filter((error) => error.keyword !== 'if')
      .map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
  };
}

const config = validator('schema/config.json');
const mapping = validator('schema/mapping.json');

/** The example of the design, without what is not available yet. */
const EXAMPLE = `
# trueup.yaml
connections:
  shop:    { connector: postgres, url: "\${SHOP_URL}" }
  archive: { connector: mongodb,  url: "\${file:/run/secrets/archive}", database: shop }
  crm:     { connector: rest, url: "https://crm.example" }
  tracker: { connector: ./tracker.ts, token: "\${TRACKER_TOKEN}" }          # a path or an npm name is a plugin
jobs:
  shop-to-archive:
    source: shop
    target: archive
    schedule: "*/5 * * * *"
    streams:
      - from: public.orders
        to: orders
        changes: { by: cursor, field: updated_at }
        key: [id]
        mapping: mappings/orders.yaml
      - { from: "public.*", except: ["public.audit_*"] }
`;

const MAPPING = `
where: "status != 'draft'"
fields:
  _id: id
  total: { from: total_cents, shift: -2 }
  customer.name: customer_name
  placedAt: { from: placed_at, zone: Europe/Berlin }
  status: { from: status, lookup: { "0": new, "1": paid }, default: unknown }
  email: { from: email, mask: { hmac: "\${MASK_KEY}" } }
  label: { expr: "name + ' #' + string(id)", type: text }
otherFields: drop
drop: [notes]
`;

describe('the generated files', () => {
  it('are as the code says (else run `npm run generate`)', async () => {
    for (const [path, text] of Object.entries(await generatedFiles()))
      expect(read(path) === text ? 'up to date' : `${path} is out of date`).toBe('up to date');
  });
});

describe('the JSON Schema of the config', () => {
  it('accepts the example', () => {
    expect(config(EXAMPLE)).toEqual([]);
  });

  it('accepts every YAML example of the README and the docs that is a config', () => {
    const pages = ['README.md', 'docs/concepts.md', 'docs/operations.md', 'docs/postgres.md', 'docs/writing-a-connector.md'].map(read);
    const examples = pages
      .flatMap((page) => [...page.matchAll(/```ya?ml\n(.*?)```/gs)].map((match) => match[1] as string))
      .filter((text) => /^connections:/m.test(text) && /^jobs:/m.test(text));
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(config(example).map((error) => `${error} in ${example}`)).toEqual([]);
  });

  it('accepts what init and copy write, as loading it does', async () => {
    const source = connectionFromUrl('postgres://me:s3cret-s3cret@here/shop', 'source');
    const target = connectionFromUrl('postgres://there/archive', 'target');
    for (const text of [
      initConfigText(source, target, null),
      initConfigText(source, target, []),
      initConfigText(source, target, ['public.events', 'public.a*b\\.c']),
      await copyConfigText({ source, target, job: 'copy', streams: ['public.orders'] }),
    ]) {
      expect(config(text)).toEqual([]);
      const { config: loaded, diagnostics } = await loadConfig({
        cwd: root,
        text,
        env: { SOURCE_PASSWORD: 's3cret-s3cret' },
        loadConnector: createConnectorLoader(connectors),
      });
      expect(diagnostics).toEqual([]);
      expect(loaded?.secrets).toContain('s3cret-s3cret');
    }
  });

  it.each([
    'connections: {}',
    'connections: { a: { connector: postgres, port: "${PORT}", ssl: "${TLS}" } }',
    'connections: { a: { connector: plugin, anything: [1, { goes: true }] } }',
    'connections: { a: { connector: plugin, limits: { perSecond: 0.5, burst: 3, concurrency: 2, breaker: { openFor: 1m, onOpen: skip } } } }',
    'connections: {}\ndefaults: { batch: { rows: "${ROWS}", bytes: 8 MiB }, memory: 1000000, shutdownGrace: 1m30s }',
    'connections: {}\njobs: { j: { source: a, target: b, schedule: continuous, deadLetters: { stopShare: 5% }, streams: [{ query: select 1, to: x, onDelete: { mark: gone } }] } }',
  ])('accepts %s', (yaml) => {
    expect(config(yaml)).toEqual([]);
  });

  it.each([
    ['no connections', 'jobs: {}'],
    ['an unknown key', 'connections: {}\njob: {}'],
    ['an unknown option', 'connections: { a: { connector: postgres, hots: x } }'],
    ['an option of the wrong kind', 'connections: { a: { connector: postgres, port: many } }'],
    ['a connection without connector', 'connections: { a: { url: x } }'],
    ['limits that are none', 'connections: { a: { connector: postgres, limits: { concurrency: 0 } } }'],
    ['a breaker of unknown manners', 'connections: { a: { connector: postgres, limits: { breaker: { onOpen: stop } } } }'],
    ['a heartbeat of a connector without one', 'connections: { a: { connector: file, path: x, heartbeat: 5s } }'],
    ['a bad name', 'connections: { "a b": { connector: postgres } }'],
    ['a duration without unit', 'connections: {}\ndefaults: { shutdownGrace: "5" }'],
    ['a size that is none', 'connections: {}\ndefaults: { memory: 8 apples }'],
    [
      'a share that is none',
      'connections: {}\njobs: { j: { source: a, target: b, deadLetters: { stopShare: 2 }, streams: [{ from: x }] } }',
    ],
    ['no streams', 'connections: {}\njobs: { j: { source: a, target: b, streams: [] } }'],
    ['neither stream nor query', 'connections: {}\njobs: { j: { source: a, target: b, streams: [{ to: x }] } }'],
    ['stream and query', 'connections: {}\njobs: { j: { source: a, target: b, streams: [{ from: x, query: y, to: z }] } }'],
    ['a query without name', 'connections: {}\njobs: { j: { source: a, target: b, streams: [{ query: y }] } }'],
    ['an unknown method', 'connections: {}\njobs: { j: { source: a, target: b, streams: [{ from: x, changes: { by: cursr } }] } }'],
    ['a mapping inside YAML', 'connections: {}\njobs: { j: { source: a, target: b, streams: [{ from: x, mapping: { fields: {} } }] } }'],
    [
      'compare-deletes with a share that is none',
      'connections: {}\njobs: { j: { source: a, target: b, streams: [{ from: x, deletes: { compare: { maxShare: 2 } } }] } }',
    ],
  ])('refuses %s', async (_what, yaml) => {
    expect(config(yaml)).not.toEqual([]);
    // Nor does loading it pass.
    expect((await load(yaml)).config).toBeNull();
  });
});

describe('the JSON Schema of a mapping', () => {
  it('accepts the example', () => {
    expect(mapping(MAPPING)).toEqual([]);
  });

  it.each([
    ['an unknown key', 'field: {}'],
    ['an unknown key of a field', 'fields: { a: { form: b } }'],
    ['a shift that is no number', 'fields: { a: { from: b, shift: left } }'],
    ['an unknown policy', 'fields: { a: { from: b, onLoss: ignore } }'],
    ['a key that is no list', 'key: id'],
    ['an embed from nowhere', 'embed: { items: {} }'],
    ['an unknown key of an embed', 'embed: { items: { from: x, on: { a: b }, sort: [a] } }'],
  ])('refuses %s', (_what, yaml) => {
    expect(mapping(yaml)).not.toEqual([]);
  });

  it('says of every key what it is for', () => {
    const without: string[] = [];
    const visit = (schema: unknown, path: string): void => {
      if (typeof schema !== 'object' || schema === null) return;
      for (const [key, value] of Object.entries(schema)) {
        if (key === 'properties')
          for (const [name, member] of Object.entries(value as Record<string, { description?: string } | true>))
            if (member !== true && member.description === undefined) without.push(`${path}.${name}`);
        if (key !== 'if') visit(value, `${path}.${key}`);
      }
    };
    for (const path of ['schema/config.json', 'schema/mapping.json']) visit(JSON.parse(read(path)), path);
    expect(without).toEqual([]);
  });
});
