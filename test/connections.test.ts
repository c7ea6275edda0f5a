import { describe, expect, it } from 'vitest';
import memory from '../connectors/memory/index.ts';
import type { ConnectionLimits, ResolvedConfig } from '../src/config/resolved.ts';
import { createConnections } from '../src/connections.ts';
import type { Connections } from '../src/connections.ts';
import { TrueupError, defineConnector } from '../src/sdk.ts';
import type { Connector, ConnectorContext } from '../src/sdk.ts';

const NEVER = new AbortController().signal;
const NO_LIMITS: ConnectionLimits = { concurrency: null, perSecond: null, burst: 1, breaker: null };
const BREAKER = { failures: 1, openForMs: 60_000, onOpen: 'wait' } as const;

function open(limits: Readonly<Record<string, Partial<ConnectionLimits>>>, connector: Connector = memory): Connections {
  const names = Object.keys(limits);
  const connections = new Map(
    names.map((name) => [name, { name, connector: 'memory', options: { database: name }, limits: { ...NO_LIMITS, ...limits[name] } }]),
  );
  return createConnections({
    config: { connections, baseDir: '/' } as unknown as ResolvedConfig,
    connectors: new Map(names.map((name) => [name, connector])),
    breakers: null,
    vault: { withSecret: () => expect.unreachable('a secret') },
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
}

/** Whether a promise is settled by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.finally(() => (done = true)).catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

describe('limits of connections', () => {
  it('let as many feeds in as their connections carry, whatever jobs they are of', async () => {
    const connections = open({ shop: { concurrency: 2 }, copy: {}, other: {} });
    const leave = await connections.enterFeed(['shop', 'copy'], NEVER);
    await connections.enterFeed(['other', 'shop'], NEVER);
    const third = connections.enterFeed(['shop', 'copy'], NEVER);
    expect(await isDone(third)).toBe(false);
    await connections.enterFeed(['copy', 'other'], NEVER);
    leave();
    leave();
    (await third)();
  });

  it('cannot be blocked by feeds in opposite directions, nor by a connection that is both ends', async () => {
    const connections = open({ a: { concurrency: 1 }, b: { concurrency: 1 } });
    for (let round = 0; round < 20; round += 1) {
      const there = connections.enterFeed(['a', 'b'], NEVER).then((leave) => leave());
      const back = connections.enterFeed(['b', 'a'], NEVER).then((leave) => leave());
      const within = connections.enterFeed(['a', 'a'], NEVER).then((leave) => leave());
      await Promise.all([there, back, within]);
    }
  });

  it('keep no place for a feed that was stopped while it waited', async () => {
    const connections = open({ a: { concurrency: 1 }, b: { concurrency: 1 } });
    const leave = await connections.enterFeed(['b'], NEVER);
    const stop = new AbortController();
    const waiting = connections.enterFeed(['a', 'b'], stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toBe(stop.signal.reason);
    await connections.enterFeed(['a'], NEVER);
    leave();
    await connections.enterFeed(['b'], NEVER);
  });

  it('are given to a connector that makes requests, once for source and target, and not kept for it', async () => {
    const contexts: ConnectorContext[] = [];
    const api = defineConnector({
      ...memory,
      limits: 'requests',
      openSource: (options, context) => {
        contexts.push(context);
        return memory.openSource?.(options, context) ?? expect.unreachable();
      },
      openTarget: (options, context) => {
        contexts.push(context);
        return memory.openTarget?.(options, context) ?? expect.unreachable();
      },
    });
    const connections = open({ crm: { concurrency: 1, breaker: BREAKER } }, api);
    connections.source('crm');
    connections.source('crm');
    connections.target('crm');
    const [source, target] = contexts;
    expect(contexts).toHaveLength(2);
    const turn = await source?.limiter?.take(NEVER);
    const second = target?.limiter?.take(NEVER) ?? expect.unreachable();
    expect(await isDone(second)).toBe(false);
    await connections.enterFeed(['crm'], NEVER);
    await connections.enterFeed(['crm'], NEVER);
    turn?.end();
    (await second).end();
  });

  it('guard a source with its breaker, and give no limiter to a connector that does not ask for turns', async () => {
    const contexts: ConnectorContext[] = [];
    const failing = defineConnector({
      ...memory,
      openSource: (options, context) => {
        contexts.push(context);
        const source = memory.openSource?.(options, context) ?? expect.unreachable();
        return { ...source, identity: () => Promise.reject(new TrueupError('E_UNREACHABLE', 'down')) };
      },
    });
    const connections = open({ shop: { breaker: BREAKER } }, failing);
    const source = connections.source('shop');
    expect(contexts[0]).not.toHaveProperty('limiter');
    await expect(source.identity(NEVER)).rejects.toMatchObject({ code: 'E_UNREACHABLE' });
    await expect(source.discover(NEVER)).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
    // The same source as before, with its state.
    await expect(connections.source('shop').discover(NEVER)).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
    await connections.close();
  });
});
