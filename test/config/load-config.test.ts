import { describe, expect, it } from 'vitest';
import { HEAD, load } from './fixture.ts';

describe('loading a config', () => {
  it('fills in every default', async () => {
    const { config, texts } = await load(`${HEAD}    streams: [{ from: public.orders }]\n`);
    expect(texts).toEqual([]);
    expect(config?.jobs.get('copy')).toEqual({
      name: 'copy',
      source: 'a',
      target: 'b',
      schedule: null,
      batch: { rows: 10_000, bytes: 8 * 2 ** 20 },
      maxRecordBytes: 16 * 2 ** 20,
      onLoss: 'error',
      timezone: 'UTC',
      require: {},
      retries: { attempts: 8, maxDelayMs: 300_000 },
      deadLetters: { stopAfter: 100, stopShare: 0.01 },
      checkpoints: null,
      ddl: 'auto',
      concurrency: 4,
      onChange: 'stop',
      onLostPosition: 'stop',
      maxDelayMs: 1000,
      streams: [
        {
          from: 'public.orders',
          query: null,
          except: [],
          to: null,
          changes: null,
          key: null,
          mapping: null,
          lookbackMs: null,
          deletes: null,
          onDelete: 'delete',
          onExit: 'delete',
          where: null,
          guard: null,
          partitions: 4,
          drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
          after: [],
          at: { file: 'trueup.yaml', line: 8, column: 23 },
        },
      ],
    });
    expect(config?.connections.get('a')).toMatchObject({ name: 'a', connector: 'shop', options: { port: 5432, tls: false, mode: 'safe' } });
    expect(config).toMatchObject({ memoryBytes: 128 * 2 ** 20, shutdownGraceMs: 20_000, keepRuns: 100 });
    expect(config?.state).toBe(`sqlite:${config?.baseDir}/.trueup/state.db`);
  });

  it('reads every key', async () => {
    const { config, texts } = await load({
      'mappings/orders.yaml': 'fields: { id: id }\n',
      'trueup.yaml': `
state: postgres://me@host/state
defaults: { batch: { rows: 5, bytes: 1MiB }, memory: 64 MB, shutdownGrace: 1m30s, timezone: Europe/Berlin, maxRecordBytes: 2000, onLoss: text, keepRuns: 7 }
connections: { a: { connector: shop }, b: { connector: shop, port: 1 } }
jobs:
  j:
    source: a
    target: b
    schedule: { cron: "*/10 0 2 * * *", timezone: America/New_York, overlap: queue, misfire: skip, jitter: 500ms }
    require: { lateCommits: delivered, fidelity: exact }
    retries: { attempts: 2, maxDelay: 1.5s }
    deadLetters: { stopAfter: 0, stopShare: 5% }
    checkpoints: beside
    ddl: manual
    concurrency: 2
    onChange: from-now
    onLostPosition: rebackfill
    maxDelay: 100ms
    streams:
      - { from: public.orders, to: o, changes: { by: cursor, field: at }, key: [id, "line no"], mapping: mappings/orders.yaml, where: "x > 1", lookback: 1h30m,
          deletes: { when: gone, compare: { schedule: "0 3 * * *", scope: "x > 2", maxShare: 10% } }, onDelete: { mark: dead }, onExit: keep, guard: at, backfill: { partitions: 9 }, drift: { add: stop }, after: [q] }
      - { query: "select 1 as id", to: q, onDelete: ignore, changes: { by: snapshot } }
      - { from: "shop.*", except: ["shop.audit_*"], to: "x.{table}", deletes: { compare: {} } }
  k: { source: b, target: a, schedule: continuous, streams: [{ from: t }] }
  l: { source: b, target: a, schedule: "0 5 * * 1-5", streams: [{ from: t }] }
`,
    });
    expect(texts).toEqual([]);
    expect(config).toMatchObject({ state: 'postgres://me@host/state', memoryBytes: 64e6, shutdownGraceMs: 90_000, keepRuns: 7 });
    const job = config?.jobs.get('j');
    expect(job).toMatchObject({
      schedule: { kind: 'cron', cron: '*/10 0 2 * * *', timezone: 'America/New_York', overlap: 'queue', misfire: 'skip', jitterMs: 500 },
      batch: { rows: 5, bytes: 2 ** 20 },
      maxRecordBytes: 2000,
      onLoss: 'text',
      require: { lateCommits: 'delivered', fidelity: 'exact' },
      retries: { attempts: 2, maxDelayMs: 1500 },
      deadLetters: { stopAfter: 0, stopShare: 0.05 },
      checkpoints: 'beside',
      ddl: 'manual',
      onChange: 'from-now',
      onLostPosition: 'rebackfill',
      maxDelayMs: 100,
    });
    expect(job?.streams[0]).toMatchObject({
      changes: { by: 'cursor', field: 'at' },
      key: ['id', 'line no'],
      mapping: { file: 'mappings/orders.yaml', text: 'fields: { id: id }\n' },
      where: 'x > 1',
      lookbackMs: 5_400_000,
      deletes: { when: 'gone', compare: { schedule: '0 3 * * *', scope: 'x > 2', maxShare: 0.1 } },
      onDelete: { mark: 'dead' },
      onExit: 'keep',
      guard: 'at',
      partitions: 9,
      drift: { add: 'stop', drop: 'keep', retype: 'widen' },
      after: ['q'],
    });
    expect(job?.streams[1]).toMatchObject({ from: 'q', query: 'select 1 as id', to: 'q', onDelete: 'ignore' });
    expect(job?.streams[2]).toMatchObject({
      from: 'shop.*',
      except: ['shop.audit_*'],
      to: 'x.{table}',
      deletes: { when: null, compare: { schedule: null, scope: null, maxShare: 0.05 } },
    });
    expect(config?.jobs.get('k')?.schedule).toEqual({ kind: 'continuous' });
    expect(config?.jobs.get('l')?.schedule).toEqual({
      kind: 'cron',
      cron: '0 5 * * 1-5',
      timezone: 'Europe/Berlin',
      overlap: 'skip',
      misfire: 'once',
      jitterMs: 0,
    });
  });

  it('tells every mistake at once, each at its place, with what was meant', async () => {
    const { config, texts } = await load(`connections:
  shop:    { connector: shp }
  archive: { connector: shop, urll: "https://x", port: 99999, mode: quick }
jobs:
  one:
    source: shopp
    target: archive
    schedule: "*/5 * * *"
    streams:
      - from: public.orders
        changes: { by: cursr }
        key: id
      - { from: "public.*", lookback: 5, after: [public.order] }
      - { from: public.orders, guard: "", drift: { add: evolv }, backfill: { partitions: 0 } }
  "bad name": 5
defaults:
  batch: { rows: many }
  memroy: 5
`);
    expect(config).toBeNull();
    expect(texts.map((text) => text.replace(/ \(looked in .*/, ''))).toEqual([
      "trueup.yaml:2:25 [E_CONNECTOR_UNKNOWN] unknown connector 'shp'. Known: reader, shop. Did you mean 'shop'? No npm package of this name either",
      "trueup.yaml:3:31 [E_CONFIG_INVALID] unknown key 'urll'. Known: url, password, port, tls, database, mode, auth. Did you mean 'url'?",
      "trueup.yaml:3:56 [E_CONFIG_INVALID] 'port' must be at most 65535, not 99999",
      "trueup.yaml:3:69 [E_CONFIG_INVALID] 'mode' must be one of fast, safe, not 'quick'",
      "trueup.yaml:6:13 [E_CONFIG_INVALID] unknown connection 'shopp'. Connections: shop, archive. Did you mean 'shop'?",
      "trueup.yaml:8:15 [E_CONFIG_INVALID] '*/5 * * *' is no schedule: expected five or six cron fields such as '*/5 * * * *', or 'continuous'; found 4",
      "trueup.yaml:11:24 [E_CONFIG_INVALID] 'by' must be one of cursor, sequence, xmin, log, snapshot, push, not 'cursr'. Did you mean 'cursor'?",
      "trueup.yaml:12:14 [E_CONFIG_INVALID] 'key' must be a list, not text",
      "trueup.yaml:13:39 [E_CONFIG_INVALID] 'lookback' must be a duration with its unit, such as 500ms, 10s or 5m, not a number",
      "trueup.yaml:14:17 [E_CONFIG_INVALID] stream 'public.orders' stands twice in this job. A stream has one entry; a second target belongs to a job of its own",
      "trueup.yaml:14:39 [E_CONFIG_INVALID] 'guard' must not be empty",
      "trueup.yaml:14:57 [E_CONFIG_INVALID] 'add' must be one of evolve, ignore, stop, not 'evolv'. Did you mean 'evolve'?",
      "trueup.yaml:14:90 [E_CONFIG_INVALID] 'partitions' must be at least 1, not 0",
      "trueup.yaml:15:3 [E_CONFIG_INVALID] 'bad name' is no valid name in 'jobs': letters, digits, - and _, at most 63, beginning with a letter or a digit",
      "trueup.yaml:15:15 [E_CONFIG_INVALID] 'bad name' must be keys and values, not a number",
      "trueup.yaml:17:18 [E_CONFIG_INVALID] 'rows' must be a number, not text",
      "trueup.yaml:18:3 [E_CONFIG_INVALID] unknown key 'memroy'. Known: batch, memory, shutdownGrace, timezone, maxRecordBytes, onLoss, keepRuns. Did you mean 'memory'?",
    ]);
  });

  it.each<[what: string, yaml: string, text: RegExp]>([
    ['a query without a name', `${HEAD}    streams: [{ query: select 1 }]`, /8:17 .*needs 'to'/],
    ['a query and a stream', `${HEAD}    streams: [{ from: a, query: select 1, to: x }]`, /exclude each other/],
    ['neither', `${HEAD}    streams: [{ to: x }]`, /'from' is missing/],
    ['exceptions of a name', `${HEAD}    streams: [{ from: a, except: [b] }]`, /belongs to a wildcard/],
    ['a stream twice', `${HEAD}    streams: [{ from: a.b }, { from: a.b, to: c }]`, /8:38 .*'a.b' stands twice/],
    [
      'two streams to one target',
      `${HEAD}    streams: [{ from: a, to: x }, { from: b, to: x }]`,
      /'a' and 'b' would both be written to 'x'/,
    ],
    ['an unknown placeholder', `${HEAD}    streams: [{ from: a.*, to: "{tabel}" }]`, /unknown placeholder {tabel}/],
    ['a lone backslash', `${HEAD}    streams: [{ from: 'a\\' }]`, /ends with a lone backslash/],
    ['an empty part', `${HEAD}    streams: [{ from: a..b }]`, /empty part/],
    ['no streams', `${HEAD}    streams: []`, /8:14 .*'streams' must have at least 1 entry/],
    ['a circle', `${HEAD}    streams: [{ from: a, after: [b] }, { from: b, after: [c] }, { from: c, after: [a] }]`, /a → b → c → a/],
    ['itself', `${HEAD}    streams: [{ from: a, after: [a] }]`, /a → a/],
    ['an unknown stream before', `${HEAD}    streams: [{ from: orders, after: [order] }]`, /'after' names 'order'.*Did you mean 'orders'/],
    ['a mapping inside YAML', `${HEAD}    streams: [{ from: a, mapping: { fields: {} } }]`, /must be the path of a file/],
    [
      'a mapping that is not there',
      `${HEAD}    streams: [{ from: a, mapping: m/a.yaml }]`,
      /8:35 .*no mapping file 'm\/a.yaml' \(looked at <cwd>\/m\/a.yaml\)/,
    ],
    ['deletes without a rule', `${HEAD}    streams: [{ from: a, deletes: {} }]`, /needs 'when'/],
    ['a share of deletes that is none', `${HEAD}    streams: [{ from: a, deletes: { compare: { maxShare: 5 } } }]`, /8:58 .*share/],
    [
      'a schedule of deletes that is none',
      `${HEAD}    streams: [{ from: a, deletes: { compare: { schedule: "61 * * * *" } } }]`,
      /8:58 .*not valid as minute/,
    ],
    ['an unknown key of deletes', `${HEAD}    streams: [{ from: a, deletes: { compare: { every: 1h } } }]`, /unknown key 'every'/],
    [
      'a schedule of deletes for snapshots',
      `${HEAD}    streams: [{ from: a, changes: { by: snapshot }, deletes: { compare: { schedule: "0 3 * * *" } } }]`,
      /'schedule' has no meaning with changes by snapshot/,
    ],
    [
      'deletes that are looked for and ignored',
      `${HEAD}    streams: [{ from: a, onDelete: ignore, deletes: { compare: {} } }]`,
      /'onDelete: ignore' keeps them all/,
    ],
    ['a rate that nobody could keep', 'connections: { a: { connector: shop, limits: { perSecond: 5 } } }', /1:48 .*makes no requests/],
    ['limits that are none', 'connections: { a: { connector: shop, limits: { concurrency: 0 } } }', /1:61 .*'concurrency' must be/],
    [
      'a breaker that is misspelt',
      'connections: { a: { connector: shop, limits: { breaker: { onOpen: stop } } } }',
      /1:67 .*'onOpen' must be.*wait.*skip.*fail/,
    ],
    ['a heartbeat of a connector without one', 'connections: { a: { connector: shop, heartbeat: 10s } }', /unknown key 'heartbeat'/],
    [
      'a field for a method without one',
      `${HEAD}    streams: [{ from: a, changes: { by: xmin, field: x } }]`,
      /'field' belongs to the methods/,
    ],
    ['a key field twice', `${HEAD}    streams: [{ from: a, key: [id, id] }]`, /names a field twice/],
    [
      'a wrong time zone',
      `${HEAD}    schedule: { cron: "* * * * *", timezone: Europe/Berln }\n    streams: [{ from: a }]`,
      /unknown time zone 'Europe\/Berln'.*Did you mean 'Europe\/Berlin'/,
    ],
    ['a wrong default time zone', `defaults: { timezone: Mars }\n${HEAD}    streams: [{ from: a }]`, /1:23 .*unknown time zone 'Mars'/],
    ['an impossible day', `${HEAD}    schedule: "0 0 30 2 *"\n    streams: [{ from: a }]`, /day of month/],
    ['a day that never comes', `${HEAD}    schedule: "0 0 L-30 2 *"\n    streams: [{ from: a }]`, /no day ever matches/],
    ['an endless range', `${HEAD}    schedule: "0-999999999 * * * *"\n    streams: [{ from: a }]`, /numbers above 59/],
    ['a minute too many', `${HEAD}    schedule: "60 * * * *"\n    streams: [{ from: a }]`, /'60' is not valid as minute/],
    ['a shifted state', `state: mysql://x\n${HEAD}    streams: [{ from: a }]`, /1:8 .*'state' must be/],
    [
      'a schedule that is a list',
      `${HEAD}    schedule: [1]\n    streams: [{ from: a }]`,
      /'schedule' must be text or keys and values, not a list/,
    ],
    [
      'a delete mark without its column',
      `${HEAD}    streams: [{ from: a, onDelete: { mark: x, marc: x } }]`,
      /unknown key 'marc'.*Did you mean 'mark'/,
    ],
    [
      'a target that only reads',
      `connections: { a: { connector: shop }, b: { connector: reader } }\njobs: { j: { source: a, target: b, streams: [{ from: x }] } }`,
      /2:33 .*'reader' of this connection cannot be a target/,
    ],
    [
      'an option of a schema that is not strict',
      'connections: { a: { connector: reader, paht: x } }',
      /unknown key 'paht'.*Did you mean 'path'/,
    ],
    ['a connection without its connector', 'connections: { a: { url: x } }', /1:16 .*'connector' is missing/],
    [
      'a share above one',
      `${HEAD}    deadLetters: { stopShare: 101% }\n    streams: [{ from: a }]`,
      /'stopShare' must be a share between 0 and 1, or a percentage such as 5%, not '101%'/,
    ],
    ['a duration out of bounds', `${HEAD}    maxDelay: 2h\n    streams: [{ from: a }]`, /'maxDelay' must be between 10ms and 1h, not '2h'/],
    [
      'a size without a unit',
      'connections: {}\ndefaults: { memory: 128Mb2 }',
      /'memory' must be a size such as 8MiB or 128MB, not '128Mb2'/,
    ],
    ['no connections', 'jobs: {}', /1:1 .*'connections' is missing/],
  ])('refuses %s', async (_what, yaml, text) => {
    const { config, texts } = await load(yaml);
    expect(config).toBeNull();
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(text);
  });

  it('refuses a stream that would be written onto itself, under whatever name the connection goes', async () => {
    const twin = 'connections: { a: { connector: shop, url: "https://x" }, b: { connector: shop, url: "https://x" } }\n';
    const job = (streams: string) => `${twin}jobs: { j: { source: a, target: b, streams: [${streams}] } }`;
    for (const own of ['{ from: s.t }', '{ from: s.t, to: s.t }', '{ from: "s.*" }', '{ from: "s.*", to: "{schema}.{table}" }']) {
      expect((await load(job(own))).texts).toEqual([expect.stringMatching(/onto itself/)]);
    }
    for (const other of ['{ from: s.t, to: u }', '{ from: "s.*", to: "x.{table}" }', '{ query: select 1, to: u }']) {
      expect((await load(job(other))).texts).toEqual([]);
    }
  });

  it('tells the problems of mappings with those of the config, once each, however many streams use them', async () => {
    const { config, texts } = await load({
      'm.yaml': 'fields:\n  a: { form: b }\nwere: x\n',
      'trueup.yaml': `${HEAD}    streams: [{ from: a, mapping: m.yaml, kee: 1 }, { from: b, mapping: ./m.yaml }, { from: c, key: 1, mapping: gone.yaml }]`,
    });
    expect(config).toBeNull();
    expect(texts).toEqual([
      expect.stringMatching(/^trueup.yaml:8:\d+ .*unknown key 'kee'.*Did you mean 'key'/),
      expect.stringMatching(/^trueup.yaml:8:\d+ .*'key' must be a list/),
      expect.stringMatching(/^trueup.yaml:8:\d+ .*no mapping file 'gone.yaml'/),
      expect.stringMatching(/^m.yaml:2:\d+ \[E_MAPPING_INVALID\]/),
      expect.stringMatching(/^m.yaml:3:1 \[E_MAPPING_INVALID\].*Did you mean 'where'/),
    ]);
  });

  it('warns of cron days that must both match', async () => {
    const { config, texts } = await load(`${HEAD}    schedule: "0 0 1 * 1"\n    streams: [{ from: a }]`);
    expect(config).not.toBeNull();
    expect(texts).toEqual([expect.stringMatching(/8:15 .*only on days where both match/)]);
  });
});
