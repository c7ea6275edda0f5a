import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { faultsCommand, startTcpProxy } from 'trueup/testing/faults';
import type { ContentRow, OpenPair, Pair } from 'trueup/testing/faults';

interface Issue {
  readonly id: number;
  readonly deleted: boolean;
  readonly title: string;
  readonly points: string;
}

/** A system to read from, in this process: issues in the order in which they were last changed, as tracker.ts asks for them. */
async function startTracker() {
  const issues = new Map<number, { readonly version: number; readonly issue: Issue }>();
  let version = 0;
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://tracker');
    const [since, limit] = [Number(searchParams.get('since') ?? 0), Number(searchParams.get('limit'))];
    const later = [...issues.values()].filter((one) => one.version > since).sort((a, b) => a.version - b.version);
    const page = later.slice(0, limit);
    response.end(JSON.stringify({ items: page.map(({ issue }) => issue), next: String(page.at(-1)?.version ?? since) }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    issues,
    port: (server.address() as AddressInfo).port,
    write: (issue: Issue) => void issues.set(issue.id, { version: (version += 1), issue }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const issueOf = (id: number, title: string, deleted = false): Issue => ({ id, deleted, title, points: `${id}.50` });

/** tracker.ts beside this file, into a PostgreSQL server whose address is in COPY_URL (a role that may create databases). */
async function open(): Promise<OpenPair> {
  const serverUrl = process.env['COPY_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const database = `faults_${randomUUID().replaceAll('-', '')}`;
  const url = Object.assign(new URL(serverUrl), { pathname: `/${database}` }).href;
  await query(serverUrl, `create database ${database}`);
  const tracker = await startTracker();
  const toTracker = await startTcpProxy({ host: '127.0.0.1', port: tracker.port });
  const toTarget = await startTcpProxy(url);
  return {
    source: {
      connector: new URL('./tracker.ts', import.meta.url).href,
      options: { url: `http://127.0.0.1:${toTracker.port}`, token: 'none', limit: 20 },
      proxy: toTracker,
    },
    target: { connector: 'postgres', options: { url: toTarget.url(url), connectTimeout: '2s' }, proxy: toTarget },
    job: { streams: [{ from: 'issues', to: 'public.issues' }] },
    async seed(records) {
      for (let id = 1; id <= records; id += 1) tracker.write(issueOf(id, `issue ${id}`));
    },
    async change(step) {
      const ids = [...tracker.issues.keys()].filter((id) => id % 7 === step % 7);
      for (const id of ids) tracker.write(issueOf(id, `step ${step}`, id % 5 === 0));
      return ids.length;
    },
    async expected() {
      const kept = [...tracker.issues.values()].flatMap(({ issue }) => (issue.deleted ? [] : [issue]));
      return kept.map(({ id, title, points }) => ({ key: String(id), content: `${title} ${points}` }));
    },
    async actual() {
      const [table] = await query<{ there: boolean }>(url, `select to_regclass('public.issues') is not null as there`);
      if (table?.there !== true) return [];
      return query<ContentRow>(url, `select id::text as key, title || ' ' || points as content from public.issues`);
    },
    async close() {
      await tracker.close();
      await toTracker.close();
      await toTarget.close();
      await query(serverUrl, `drop database ${database} with (force)`);
    },
  };
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

const NOT_HERE = 'the example does not start servers';

export const pair: Pair = {
  name: 'tracker → postgres',
  lacks: {
    'server-source': NOT_HERE,
    'server-target': NOT_HERE,
    'standby-source': NOT_HERE,
    'standby-target': NOT_HERE,
    'disk-target': NOT_HERE,
    transactions: 'the tracker has no transactions',
    ties: 'every change of the tracker has a number of its own',
    extremes: 'the tracker has issues and nothing else',
    bulk: 'the tracker is held in memory',
    verify: 'the tracker cannot be asked for single issues',
  },
  open,
};

// node faults.ts --fault kill-steps
if (import.meta.main)
  process.exitCode = await faultsCommand({
    args: process.argv.slice(2),
    pairs: [pair],
    write: (text) => void process.stdout.write(text),
  });
