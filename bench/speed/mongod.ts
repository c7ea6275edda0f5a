import { readFileSync, readdirSync } from 'node:fs';
import { findMongo } from '../../test/servers/find-mongo.ts';

export interface BenchMongod extends AsyncDisposable {
  readonly url: string;
  /** Of the server; 0 where the system does not tell, or the server runs elsewhere. */
  readonly pid: number;
}

/** The server that tests would use, with fsync as it comes; `null`, and said so, where there is none. */
export async function startBenchMongod(log: (line: string) => void): Promise<BenchMongod | null> {
  const found = await findMongo(process.env);
  if (found.origin === 'none') {
    log(`*** MongoDB cannot be had, its cases are SKIPPED: ${found.reason} ***`);
    return null;
  }
  const port = /:(\d+)/.exec(found.url.replace(/^mongodb:\/\//, ''))?.[1] ?? '';
  return { url: found.url, pid: pidOf(port), [Symbol.asyncDispose]: () => found.stop() };
}

function pidOf(port: string): number {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return Number(pids.find((pid) => isMongod(pid, port)) ?? 0);
  } catch {
    return 0;
  }
}

function isMongod(pid: string, port: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return /(^|\/)mongod$/.test(words[0] ?? '') && words[words.indexOf('--port') + 1] === port;
  } catch {
    return false;
  }
}
