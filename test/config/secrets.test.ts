import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../src/config/redact.ts';
import { createReferenceResolver } from '../../src/config/references.ts';
import { folder, HEAD, load } from './fixture.ts';

const JOB = 'jobs: { j: { source: a, target: a, streams: [{ from: x, to: y }] } }\n';

describe('references in a config', () => {
  it('takes environment variables and secret files, and leaves $${ alone', async () => {
    const { config, texts } = await load(
      {
        'secret.txt': 'hunter22\n',
        'trueup.yaml': `connections: { a: { connector: shop, url: "https://me:\${PW}@x/\${DB}", password: "\${file:secret.txt}", database: "$\${DB}" } }\n${JOB}`,
      },
      { PW: 'p4ssw0rd', DB: 'shop' },
    );
    expect(texts).toEqual([]);
    expect(config?.connections.get('a')?.options).toMatchObject({
      url: 'https://me:p4ssw0rd@x/shop',
      password: 'hunter22',
      database: '${DB}',
    });
  });

  it('does not look again at what it put in', async () => {
    const { config } = await load(`connections: { a: { connector: shop, database: "\${A}" } }\n${JOB}`, { A: '${B}', B: 'no' });
    expect(config?.connections.get('a')?.options['database']).toBe('${B}');
  });

  it('reads a number or a switch from the text of a variable', async () => {
    const { config, texts } = await load(
      `connections: { a: { connector: shop, port: "\${PORT}", tls: "\${TLS}" } }\ndefaults: { batch: { rows: "\${ROWS}" } }\n${JOB}`,
      { PORT: '99', TLS: 'true', ROWS: '7' },
    );
    expect(texts).toEqual([]);
    expect(config?.connections.get('a')?.options).toMatchObject({ port: 99, tls: true });
    expect(config?.jobs.get('j')?.batch.rows).toBe(7);
  });

  it('takes no number from text that stands in the file itself', async () => {
    expect((await load(`connections: { a: { connector: shop, port: "99" } }\n${JOB}`)).texts).toEqual([
      expect.stringMatching(/1:44 .*'port' must be a number, not text/),
    ]);
  });

  it.each([
    ['${NOPE}', /environment variable NOPE is not set/],
    ['${EMPTY}', /environment variable EMPTY is set but empty/],
    ['${toString}', /environment variable toString is not set/],
    ['${A-B}', /names no environment variable/],
    ['${A:-x}', /names no environment variable/],
    ['${}', /names no environment variable/],
    ['x${A', /has no closing brace/],
    ['${file:gone.txt}', /secret file 'gone.txt' cannot be read: ENOENT \(looked at <cwd>\/gone.txt\)/],
    ['${file:empty.txt}', /secret file 'empty.txt' is empty/],
    ['${file:.}', /is not a regular file/],
    ['${file:/dev/zero}', /is not a regular file/],
    ['${file:big.txt}', /has 70000 bytes/],
  ])('names %s and its place when it has no value, and nothing that follows from it', async (reference, text) => {
    const { texts } = await load(
      {
        'empty.txt': '',
        'big.txt': 'x'.repeat(70_000),
        'trueup.yaml': `connections: { a: { connector: shop, url: '${reference}' } }\n${JOB}`,
      },
      { EMPTY: '' },
    );
    expect(texts).toEqual([expect.stringMatching(text)]);
    expect(texts[0]).toMatch(/^trueup.yaml:1:43 \[E_CONFIG_SECRET\]/);
  });

  it('names each of several references in one text', async () => {
    expect((await load(`connections: { a: { connector: shop, url: "\${A} \${B}" } }`)).texts).toHaveLength(2);
  });

  it('checks the references of mappings too, and keeps them out of the text', async () => {
    const files = (name: string) => ({
      'm.yaml': `fields:\n  email: { from: email, mask: { hmac: "\${${name}}" } }\n`,
      'trueup.yaml': `${HEAD}    streams: [{ from: x, mapping: m.yaml }]`,
    });
    const good = await load(files('MASK'), { MASK: 'mask-secret' });
    expect(good.texts).toEqual([]);
    expect(good.config?.secrets).toContain('mask-secret');
    expect(good.config?.jobs.get('copy')?.streams[0]?.mapping?.text).toContain('${MASK}');
    expect((await load(files('GONE'))).texts).toEqual([
      expect.stringMatching(/^m.yaml:2:39 \[E_CONFIG_SECRET\] environment variable GONE/),
    ]);
  });

  it('resolves a single text later, or throws with its code', () => {
    const resolve = createReferenceResolver({ env: { A: 'x' }, baseDir: folder({}) });
    expect(resolve('-${A}-')).toBe('-x-');
    expect(() => resolve('${B}')).toThrow(expect.objectContaining({ code: 'E_CONFIG_SECRET' }));
  });
});

describe('secrets of a config', () => {
  const env = { URL: 'https://user:p%40ss-word@host/db', TOKEN: 'tok-12345', DB: 'warehouse', PIN: '77431' };

  it('are collected from variables, files, URLs and flagged options, in every form', async () => {
    const { config, texts } = await load(
      {
        's.txt': 'from-a-file',
        'trueup.yaml': `connections:
  a: { connector: shop, url: "\${URL}", password: "\${file:s.txt}", database: "\${DB}", auth: { bearer: "\${TOKEN}" } }
  b: { connector: shop, url: "https://u:written-down@h/d?token=in-the-query", auth: { user: me, pin: "12345678" } }
${JOB}`,
      },
      env,
    );
    expect(texts).toEqual([]);
    const secrets = [...(config?.secrets ?? [])];
    expect(secrets).toEqual(
      expect.arrayContaining(['p%40ss-word', 'p@ss-word', 'from-a-file', 'tok-12345', 'written-down', 'in-the-query', '12345678']),
    );
    // Names of places are no secrets: hiding them would tear every message apart.
    for (const word of ['warehouse', 'user', 'host', 'db', 'me', 'shop']) expect(secrets).not.toContain(word);
  });

  it('leave a password alone that is the name of its user', async () => {
    const { config } = await load(`connections: { a: { connector: shop, url: "https://postgres:postgres@h/shop" } }\n${JOB}`);
    expect([...(config?.secrets ?? [])]).toEqual([]);
  });

  it('stand in no message, wherever they were put', async () => {
    for (const secret of ['hunter2-hunter2', `hunter2-${'long'.repeat(30)}`]) {
      const wrong = [
        'connections: { a: { connector: "${S}" } }',
        'connections: { a: { connector: shop, port: "${S}" } }',
        'connections: { a: { connector: shop, mode: "${S}" } }',
        'connections: { a: { connector: shop, url: "${S}" } }',
        'connections: { a: { connector: shop, auth: { user: x, pin: "${S}" } } }',
        'connections: { a: { connector: shop, auth: "${S}" } }',
        'connections: "${S}"',
        'state: "${S}"',
        'defaults: { memory: "${S}", timezone: "${S}", onLoss: "${S}" }',
        'jobs: { j: { source: "${S}", target: "${S}", schedule: "${S}", retries: "${S}", streams: [{ from: "${S}", mapping: "${S}", changes: { by: "${S}" }, lookback: "${S}", after: ["${S}"] }] } }',
        `connections: { a: { connector: shop, password: ${secret.slice(0, 6)} } }`,
        `connections: { a: { connector: shop, auth: { user: x, pin: ${secret} } } }`,
        `connections: { a: { connector: shop, port: "https://u:${secret}@h" } }`,
      ];
      for (const yaml of wrong) {
        const { texts } = await load(yaml, { S: secret });
        expect(texts).not.toEqual([]);
        expect(texts.join('\n')).not.toContain(secret.slice(0, 6));
      }
    }
  });
});

describe('the redactor', () => {
  it('replaces a secret as it is, in JSON, in a URL, and the longest first', () => {
    const redact = createRedactor(['p"w d', 'abcd', 'abcdef', 'a+b/c=']);
    expect(redact('x p"w d y')).toBe('x [redacted] y');
    expect(redact(JSON.stringify({ a: 'p"w d' }))).toBe('{"a":"[redacted]"}');
    expect(redact(`u:${encodeURIComponent('p"w d')}@h, p%22w+d`)).toBe('u:[redacted]@h, [redacted]');
    expect(redact('abcdef abcd')).toBe('[redacted] [redacted]');
    expect(redact('a+b/c= and aab/c=')).toBe('[redacted] and aab/c=');
  });

  it('leaves short values alone, and any text when there is nothing to hide', () => {
    expect(createRedactor(['abc', ''])('abc')).toBe('abc');
    expect(createRedactor([])('abc')).toBe('abc');
  });

  it('hides each line of a key in several lines, but no ordinary word of it', () => {
    const redact = createRedactor(['-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nend\n']);
    expect(redact('MIIEvQIBADANBgkqhkiG9w0 end')).toBe('[redacted] end');
  });
});

describe('a folder in place of a file', () => {
  it('is a problem, not a crash', async () => {
    const cwd = folder({});
    mkdirSync(`${cwd}/trueup.yaml`);
    const { loadConfig } = await import('../../src/config/load-config.ts');
    const { diagnostics } = await loadConfig({ cwd, env: {}, loadConnector: async () => ({ problem: 'none' }) });
    expect(diagnostics).toMatchObject([{ message: 'the file cannot be read: EISDIR' }]);
  });
});
