/**
 * `node log-delay.ts hand|follow SOURCE TARGET PER_SECOND SECONDS [COMMAND…]`: how long changes take from the commit in the source to the commit in the target, at a steady rate of
 * small transactions on the table `orders`. By hand: a client that commits on one side and then on the other, which nobody can be faster than. Follow: the command is a
 * run that follows, and tells at its end what it measured.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const [how = 'hand', sourceUrl = '', targetUrl = '', perSecond = '50', seconds = '20', ...command] = process.argv.slice(2);
const source = new pg.Client(sourceUrl);
const target = new pg.Client(targetUrl);
await Promise.all([source.connect(), target.connect()]);
const ROW = `insert into orders values ($1, 1, 'new', 1.5, 'EUR', 'note', now(), null, now(), false) on conflict (id) do update set updated_at = now()`;

/** A transaction each time that one is due: one that is late is not made up for. */
async function write(each: (id: number) => Promise<void>): Promise<void> {
  const endAt = performance.now() + Number(seconds) * 1000;
  for (let id = 1; performance.now() < endAt; id += 1) {
    const nextAt = performance.now() + 1000 / Number(perSecond);
    await each(id);
    await sleep(Math.max(0, nextAt - performance.now()));
  }
}

async function byHand(): Promise<object> {
  const delays: number[] = [];
  await write(async (id) => {
    await source.query(ROW, [id]);
    const committedAt = performance.now();
    await target.query(ROW, [id]);
    delays.push(performance.now() - committedAt);
  });
  delays.sort((a, b) => a - b);
  const at = (share: number) => Math.round(delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? 0);
  return { commits: delays.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function byFollowing(): Promise<object> {
  const [program = '', ...args] = command;
  const run = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  run.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = once(run, 'close');
  // What comes during the first load is not followed yet.
  for (let seen = false; !seen && run.exitCode === null; await sleep(100)) {
    await source.query(ROW, [0]);
    seen = (await target.query('select from orders where id = 0')).rowCount === 1;
  }
  await write(async (id) => void (await source.query(ROW, [id])));
  await sleep(1000);
  run.kill('SIGTERM');
  await ended;
  const report = JSON.parse(stdout) as { jobs: { delays?: { count: number; p50Ms: number; p99Ms: number; maxMs: number } }[] };
  const delays = report.jobs[0]?.delays;
  if (delays === undefined) throw new Error(`no delays in the report: ${stdout.slice(0, 1000)}`);
  const { count, ...times } = delays;
  return { commits: count, ...times };
}

process.stdout.write(JSON.stringify(how === 'hand' ? await byHand() : await byFollowing()));
await Promise.all([source.end(), target.end()]);
