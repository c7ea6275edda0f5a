import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedPostgres } from '../../../src/demo/embedded-postgres.ts';
import type { Exit, TrueupOptions, TrueupProcess } from '../../processes.ts';
import { withClient } from '../../servers/postgres-admin.ts';
import type { TcpProxy } from '../../servers/tcp-proxy.ts';
import type { Random } from './prng.ts';

/* What may happen to a run, and how it may end then. */

/** One side: its server, and the proxy that trueup reaches it by. */
export interface Side {
  readonly server: EmbeddedPostgres;
  readonly proxy: TcpProxy;
  /** Past the proxy. */
  readonly url: string;
}

export interface FaultContext {
  readonly random: Random;
  readonly source: Side;
  readonly target: Side;
  /** Starts the same command again, beside the one that runs. */
  readonly again: () => Promise<Exit>;
  /** Whether the job has an owner now. */
  readonly isOwned: () => Promise<boolean>;
}

export interface Fault {
  readonly name: string;
  readonly args?: readonly string[];
  readonly options?: (random: Random) => TrueupOptions;
  /** Others find no server meanwhile. */
  readonly stopsServer?: true;
  /** What happens while the run lives. */
  happen(run: TrueupProcess, context: FaultContext): Promise<void>;
  /** `killed`: no report. */
  ends(exit: Exit): boolean;
}

/** 3: with dead letters, which the plan foresees. */
const well = ({ code }: Exit): boolean => code === 0 || code === 3;
const stoppedBy =
  (signal: NodeJS.Signals, code: number) =>
  (exit: Exit): boolean =>
    well(exit) || exit.code === code || exit.signal === signal;

const soon = (random: Random, most = 1_500): Promise<void> => sleep(random.int(150, most));
const either = ({ random, source, target }: FaultContext): Side => random.pick([source, target]);

/** Until `run` has ended, so that nothing happens to the next one. */
async function whileRunning(run: TrueupProcess, act: () => Promise<void>): Promise<void> {
  let over = false;
  const end = run.waitForExit(Number.POSITIVE_INFINITY).then(() => (over = true));
  while (!over) {
    await act();
    await Promise.race([end, sleep(100)]);
  }
}

export const UNDISTURBED: Fault = { name: 'nothing', happen: async () => {}, ends: well };

export const FAULTS: readonly (readonly [weight: number, Fault])[] = [
  [2, UNDISTURBED],
  [5, { name: 'SIGKILL', happen: async (run, { random }) => (await soon(random), run.kill('SIGKILL')), ends: stoppedBy('SIGKILL', 0) }],
  [2, { name: 'SIGTERM', happen: async (run, { random }) => (await soon(random), run.kill('SIGTERM')), ends: stoppedBy('SIGTERM', 143) }],
  [1, { name: 'SIGINT twice', happen: interruptedTwice, ends: stoppedBy('SIGINT', 130) }],
  [2, { name: 'suspended', happen: suspended, ends: well }],
  [2, { name: 'connections reset', happen: connectionsReset, ends: well }],
  [2, { name: 'cut in the middle of sending', happen: cutWhileSending, ends: well }],
  [1, { name: 'silence', happen: silence, ends: well }],
  [1, { name: 'acknowledgements lost', happen: acknowledgementsLost, ends: well }],
  [1, { name: 'slow network', happen: slow, ends: well }],
  [2, { name: 'server refuses', happen: refused, ends: well }],
  [2, { name: 'server restarts', stopsServer: true, happen: serverRestarts, ends: well }],
  [1, { name: 'backends terminated', happen: backendsTerminated, ends: well }],
  [2, { name: 'a second run', happen: secondRun, ends: (exit) => well(exit) || exit.code === 6 }],
  [2, { name: 'a second run of a job that has an owner', args: ['--follow'], happen: refusedWhileOwned, ends: stoppedBy('SIGTERM', 143) }],
  [2, { name: 'following, then SIGTERM', args: ['--follow'], happen: followed, ends: stoppedBy('SIGTERM', 143) }],
  [1, { name: 'following, reset, then SIGKILL', args: ['--follow'], happen: followedAndCut, ends: stoppedBy('SIGKILL', 0) }],
  [2, { name: 'clock jumps', options: jumpingClock, happen: async () => {}, ends: well }],
  [1, { name: 'stopped by time', args: ['--max-time', '600ms'], happen: async () => {}, ends: well }],
  [1, { name: 'everything again', args: ['--full'], happen: async () => {}, ends: well }],
  [
    1,
    {
      name: 'everything again, killed',
      args: ['--full'],
      happen: async (run, { random }) => (await soon(random), run.kill('SIGKILL')),
      ends: stoppedBy('SIGKILL', 0),
    },
  ],
];

const JUMPING_CLOCK = new URL('../fixtures/jumping-clock.ts', import.meta.url).href;

/** Hours ahead or back from the start, and twice as far the other way in the middle. */
function jumpingClock(random: Random): TrueupOptions {
  const ms = random.pick([-26, -1, 1, 26]) * 3_600_000;
  return { nodeArgs: ['--import', JUMPING_CLOCK], env: { SOAK_CLOCK_JUMP: `${ms},${random.int(300, 1_500)}` } };
}

async function interruptedTwice(run: TrueupProcess, { random }: FaultContext): Promise<void> {
  await soon(random);
  run.kill('SIGINT');
  await sleep(random.int(0, 30));
  run.kill('SIGINT');
}

async function suspended(run: TrueupProcess, { random }: FaultContext): Promise<void> {
  await soon(random);
  run.kill('SIGSTOP');
  await sleep(random.int(200, 1_500));
  run.kill('SIGCONT');
}

async function connectionsReset(run: TrueupProcess, context: FaultContext): Promise<void> {
  let left = context.random.int(1, 4);
  await whileRunning(run, async () => {
    await sleep(context.random.int(50, 400));
    if (left-- > 0) either(context).proxy.reset();
  });
}

async function cutWhileSending(run: TrueupProcess, context: FaultContext): Promise<void> {
  const { proxy } = either(context);
  proxy.resetAfter(context.random.int(500, 60_000));
  await run.waitForExit(Number.POSITIVE_INFINITY);
  proxy.pass();
}

async function silence(_run: TrueupProcess, context: FaultContext): Promise<void> {
  const { proxy } = either(context);
  await soon(context.random);
  proxy.blackHole();
  await sleep(context.random.int(300, 2_500));
  proxy.pass();
}

async function acknowledgementsLost(_run: TrueupProcess, { random, target }: FaultContext): Promise<void> {
  await soon(random);
  target.proxy.blackHole('toClient');
  await sleep(random.int(50, 300));
  target.proxy.reset();
  target.proxy.pass();
}

async function slow(run: TrueupProcess, context: FaultContext): Promise<void> {
  const { proxy } = either(context);
  proxy.delay(context.random.int(5, 60));
  await Promise.race([run.waitForExit(Number.POSITIVE_INFINITY), sleep(3_000)]);
  proxy.pass();
}

async function refused(_run: TrueupProcess, context: FaultContext): Promise<void> {
  const { proxy } = either(context);
  await soon(context.random);
  proxy.refuse();
  await sleep(context.random.int(100, 1_500));
  proxy.pass();
}

async function serverRestarts(_run: TrueupProcess, context: FaultContext): Promise<void> {
  const { server } = either(context);
  await soon(context.random);
  await server.restart(context.random.pick(['fast', 'immediate', 'kill'] as const));
}

async function backendsTerminated(_run: TrueupProcess, context: FaultContext): Promise<void> {
  await soon(context.random);
  await withClient(either(context).url, async (client) => {
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'trueup/%' and datname = current_database()`,
    );
  });
}

async function secondRun(run: TrueupProcess, { again }: FaultContext): Promise<void> {
  const second = await again();
  const first = await run.waitForExit(60_000);
  if (![first, second].every((exit) => well(exit) || exit.code === 6) || ![first, second].some(well))
    throw new Error(
      `two runs at once: one must go on and the other be refused with 6, but they ended with ${first.code} and ${second.code}\n${second.stdout}\n${second.stderr}`,
    );
}

async function refusedWhileOwned(run: TrueupProcess, { again, isOwned }: FaultContext): Promise<void> {
  while (!(await isOwned()));
  const { code, stdout, stderr } = await again();
  run.kill('SIGTERM');
  if (code !== 6) throw new Error(`another run owned the job, but a second one ended with ${code} instead of 6\n${stdout}\n${stderr}`);
}

async function followed(run: TrueupProcess, { random }: FaultContext): Promise<void> {
  await sleep(random.int(800, 4_000));
  run.kill('SIGTERM');
}

async function followedAndCut(run: TrueupProcess, context: FaultContext): Promise<void> {
  await sleep(context.random.int(600, 1_500));
  either(context).proxy.reset();
  await sleep(context.random.int(300, 1_500));
  run.kill('SIGKILL');
}
