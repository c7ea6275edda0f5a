import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { environment } from '../../loss/tool-process.ts';
import { dlt } from '../../loss/tools/dlt.ts';
import { ingestr } from '../../loss/tools/ingestr.ts';
import { sling } from '../../loss/tools/sling.ts';
import type { Place, Tool } from '../../loss/tool.ts';
import type { Bench, Contender } from '../bench.ts';
import type { Command } from '../measure.ts';
import { measure } from '../measure.ts';
import { settle } from './orders.ts';

/* Other tools on the same work, each in its documented setting, as `npm run bench:loss -- --install` puts them there. What is not there is left out, and the log says so. */

const TOOLS: readonly Tool[] = [sling, ingestr, dlt];
const TOOLS_DIR = join(homedir(), '.cache', 'trueup-bench-loss');

/** A tool as a contender of its own: its folder, its database on the server of the target. */
export interface Peer {
  readonly name: string;
  /** Nothing of an earlier run is left. */
  fresh(): Promise<void>;
  command(): Command;
  /** @throws when its table has not as many rows as the source, or another sum of totals */
  check(): Promise<void>;
}

export async function foundPeers(bench: Bench): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const tool of TOOLS) {
    const found = await tool.find(TOOLS_DIR);
    if ('absent' in found) bench.log(`  ${tool.name}: ${found.absent.replace('run with', 'npm run bench:loss --')}`);
    else peers.push(peer(bench, tool, `${tool.name} ${found.version}`));
  }
  return peers;
}

function peer(bench: Bench, tool: Tool, name: string): Peer {
  const database = `peer_${tool.name}`;
  const source = withPassword(bench.postgres.source);
  const target = withPassword(bench.postgres.target.replace(/[^/]*$/, database));
  const place: Place = { source, target, dir: join(bench.scratch, database), toolsDir: TOOLS_DIR };
  const { schema, name: table } = tool.writes;
  return {
    name,
    fresh: async () => {
      await rm(place.dir, { recursive: true, force: true });
      await mkdir(place.dir, { recursive: true });
      await tool.prepare(place);
      await bench.query('target', `drop database if exists ${database} with (force)`);
      await bench.query('target', `create database ${database}`);
      await ask(target, `create schema if not exists "${schema}"`);
    },
    command: () => {
      const { argv, env } = tool.command(place);
      const [program = '', ...args] = argv;
      return { argv: [program, ...args], cwd: place.dir, env: { ...environment(place.dir), ...env } };
    },
    check: async () => {
      const sum = (of: string) => `select count(*)::int as n, sum(total)::text as total from ${of}`;
      const [wanted] = await bench.query<Sum>('source', sum('orders'));
      const [got] = await ask<Sum>(target, sum(`"${schema}"."${table}"`));
      if (wanted?.n !== got?.n || Number(wanted?.total) !== Number(got?.total))
        throw new Error(`${name}: ${got?.n} rows with a total of ${got?.total}; the source has ${wanted?.n} with ${wanted?.total}`);
    },
  };
}

interface Sum extends pg.QueryResultRow {
  readonly n: number;
  readonly total: string;
}

async function ask<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The server asks for none; some tools refuse to begin without one. */
function withPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password === '') parsed.password = 'none';
  return parsed.href;
}

export async function peersLoading(bench: Bench): Promise<Contender[]> {
  return (await foundPeers(bench)).map((one) => ({
    name: one.name,
    reset: async () => {
      await one.fresh();
      await settle(bench);
    },
    command: () => one.command(),
    check: () => one.check(),
  }));
}

/** Each loads everything once, unmeasured, and then meets what `change` did. */
export async function peersFollowing(bench: Bench, change: () => Promise<void>): Promise<Contender[]> {
  const loaded = new Set<string>();
  return (await foundPeers(bench)).map((one) => ({
    name: one.name,
    reset: async () => {
      if (!loaded.has(one.name)) await one.fresh();
      loaded.add(one.name);
      await measure(one.command(), []);
      await change();
    },
    command: () => one.command(),
    check: () => one.check(),
  }));
}
