import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Exit } from '../processes.ts';
import { createRole, describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { withClient } from '../servers/postgres-admin.ts';
import { openScenario, seedOrders } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** A password that a URL must encode, and that is easy to find in each of its forms. */
const PASSWORD = 'Pä$$w0rd/?#&%@"quoted';
const MASK_KEY = 'mask-key-which-nobody-may-see';
const FILE_KEY = 'file-key-which-nobody-may-see';
const ROW_SECRET = '4111-1111-1111-1111';

/** Every form in which a text may hide. */
const forms = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('hex'),
];
const SECRETS = [PASSWORD, MASK_KEY, FILE_KEY, ROW_SECRET, 'w0rd', 'nobody-may-see'].flatMap(forms);

function expectNoSecret(where: string, text: string): void {
  for (const secret of SECRETS)
    if (text.includes(secret))
      throw new Error(
        `${where} holds the secret ${JSON.stringify(secret)}: …${text.slice(Math.max(0, text.indexOf(secret) - 300), text.indexOf(secret) + 100)}`,
      );
}

async function setUp(): Promise<{ scenario: Scenario; config: (change?: Partial<Parts>) => Promise<void>; source: URL }> {
  const scenario = await openScenario();
  const role = await createRole('secretive');
  await seedOrders(scenario.source, 200);
  await withClient(scenario.source.url, async (client) => {
    await client.query(`select set_config('app.password', $1, false)`, [PASSWORD]);
    await client.query(`do $$ begin execute format('alter role ${role.name} password %L', current_setting('app.password')); end $$`);
    await client.query(`grant select on all tables in schema public to ${role.name}; grant usage on schema public to ${role.name}`);
  });
  await scenario.source.query(`alter table public.orders add column card text default '${ROW_SECRET}'`);
  const source = new URL(scenario.source.url);
  source.username = role.name;
  source.password = encodeURIComponent(PASSWORD);
  await scenario.write('key.txt', `${FILE_KEY}\n`);
  const config = async (change: Partial<Parts> = {}): Promise<void> => {
    const parts = { source: source.href, target: '${COPY_URL}', options: '', where: '', ...change };
    await scenario.write(
      'trueup.yaml',
      `connections:\n  shop: { connector: postgres, url: ${JSON.stringify(parts.source)} }\n  copy: { connector: postgres, url: ${JSON.stringify(parts.target)} }\njobs:\n  orders:\n    source: shop\n    target: copy\n    retries: { attempts: 2 }\n    deadLetters: { stopAfter: 1000, stopShare: 1 }\n    streams:\n      - from: public.orders\n        mapping: map.yaml\n${parts.options}`,
    );
    await scenario.write(
      'map.yaml',
      `${parts.where}fields:\n  customer: { from: customer, mask: { hmac: "\${MASK_KEY}" } }\n  note: { from: note, mask: { hmac: "\${file:key.txt}" } }\notherFields: keep\n`,
    );
  };
  return { scenario, config, source };
}

interface Parts {
  readonly source: string;
  readonly target: string;
  readonly options: string;
  readonly where: string;
}

const ENV = { MASK_KEY };

async function trueup(scenario: Scenario, ...args: string[]): Promise<Exit> {
  const exit = await scenario.start(args, { env: ENV }).waitForExit(60_000);
  expectNoSecret(`stdout of trueup ${args.join(' ')}`, exit.stdout);
  expectNoSecret(`stderr of trueup ${args.join(' ')}`, exit.stderr);
  return exit;
}

/** The state folder and every table in schema trueup, as text and bytes. */
async function expectCleanStores(scenario: Scenario): Promise<void> {
  const folder = join(scenario.dir, '.trueup');
  for (const file of await readdir(folder, { recursive: true }))
    expectNoSecret(
      `.trueup/${file}`,
      (await readFile(join(folder, file)).catch(() => Buffer.of())).toString('latin1') +
        (await readFile(join(folder, file), 'utf8').catch(() => '')),
    );
  for (const name of await tablesOf(scenario.target)) {
    const rows = await scenario.target.query<{ row: string }>(`select t::text as row from trueup.${name} as t`);
    expectNoSecret(`trueup.${name}`, rows.map(({ row }) => row).join('\n'));
  }
}

async function tablesOf(target: TestDatabase): Promise<string[]> {
  return (
    await target.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = to_regnamespace('trueup') and relkind = 'r'`,
    )
  ).map(({ name }) => name);
}

describeWithPostgres('secrets', () => {
  it('appear nowhere in whole runs at any log level: output, state files, checkpoints, dead letters', { timeout: 120_000 }, async () => {
    const { scenario, config } = await setUp();
    await config();
    expect((await trueup(scenario, 'plan', '--apply')).code).toBe(0);
    await scenario.target.query(`alter table public.orders add check (id % 10 <> 0 or card is null)`);
    const ran = await trueup(scenario, 'run', '--json', '--log-level', 'debug');
    expect({ code: ran.code, stdout: ran.stdout }).toMatchObject({ code: 3 });
    await scenario.source.query(`update public.orders set updated_at = now(), total = total + 1 where id < 50`);
    expect((await trueup(scenario, 'run', '--log-level', 'debug')).code).toBe(0);
    const letters = await trueup(scenario, 'dead-letters', 'list', '--json');
    expect((JSON.parse(letters.stdout) as { letters: unknown[] }).letters).toHaveLength(20);
    for (const args of [
      ['dead-letters', 'show', 'orders', '10'],
      ['status', '--json'],
      ['checkpoint', 'show', 'orders', '--json'],
      ['validate'],
      ['plan', '--json', '--sample', '5'],
    ]) {
      const exit = await trueup(scenario, ...args, '--log-level', 'debug').catch((error: Error) => {
        // A sample is meant to show rows.
        if (args.includes('--sample') && error.message.includes(ROW_SECRET)) return { code: 0 };
        throw error;
      });
      expect({ args, code: exit.code }).toEqual({ args, code: 0 });
    }
    await expectCleanStores(scenario);
    const masked = await scenario.target.query<{ customer: string; note: string }>('select customer, note from public.orders where id = 1');
    expect(masked).toEqual([{ customer: expect.stringMatching(/^[0-9a-f]{64}$/), note: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  });

  it('appear in no message of what can go wrong', { timeout: 180_000 }, async () => {
    const { scenario, config, source } = await setUp();
    const changed = (change: (url: URL) => void): string => {
      const url = new URL(source);
      change(url);
      return url.href;
    };
    const cases: readonly (readonly [string, Partial<Parts>, number])[] = [
      ['wrong host', { source: changed((url) => (url.hostname = 'no-such-host.invalid')) }, 7],
      ['nobody listens', { source: changed((url) => (url.port = '1')) }, 7],
      ['wrong password', { source: changed((url) => (url.password = `${url.password}x`)) }, 7],
      ['no such database', { source: changed((url) => (url.pathname = '/no_such_database')) }, 7],
      ['not a URL', { source: source.href.replace('postgres', 'mysql') }, 2],
      ['a URL that cannot be parsed', { source: source.href.replace(/:\d+\//, ':port/') }, 2],
      [
        'bad SQL',
        {
          options: `      - { query: "select id, card from public.orders where card = '${ROW_SECRET}' and nonsense(", to: other, key: [id], changes: { by: xmin } }\n`,
        },
        2,
      ],
      ['an unknown option', { options: `      - { from: public.orders, to: x, nonsense: "\${MASK_KEY}" }\n` }, 2],
      ['a mistake in the mapping', { where: `where: "card == nonsense"\n` }, 2],
    ];
    for (const [what, change, code] of cases) {
      await config(change);
      for (const json of [['--json'], []]) {
        // The query is the user's own text in his own config: to repeat it is no leak.
        const run = scenario.start(['run', ...json, '--log-level', 'debug'], { env: ENV }).waitForExit(60_000);
        const exit = await run;
        const text = (exit.stdout + exit.stderr).replaceAll(what === 'bad SQL' ? ROW_SECRET : '\0', '');
        expectNoSecret(`output of ${what}`, text);
        if (json.length > 0) expect({ what, code: exit.code, text }).toMatchObject({ what, code });
      }
    }
  });
});
