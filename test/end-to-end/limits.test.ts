import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithPostgres, serverUrl } from '../servers/postgres.ts';
import { startTcpProxy } from '../servers/tcp-proxy.ts';
import type { TcpProxy } from '../servers/tcp-proxy.ts';
import { ORDERS_JOB, openScenario, ranOf, seedOrders } from './scenario.ts';
import type { Scenario } from './scenario.ts';

interface Breaker {
  readonly state: string;
  readonly since: string;
  readonly failures: number;
  readonly lastCode?: string;
  readonly retryAt?: string;
}

interface Wired {
  readonly scenario: Scenario;
  readonly toSource: TcpProxy;
  config(breaker: string, retries?: string): Promise<void>;
  breaker(): Promise<Breaker>;
}

async function wired(): Promise<Wired> {
  const toSource = await startTcpProxy(serverUrl());
  onTestFinished(() => toSource.close());
  const scenario = await openScenario();
  await seedOrders(scenario.source, 100);
  return {
    scenario,
    toSource,
    config: (breaker, retries = '{ attempts: 3, maxDelay: 1s }') =>
      scenario.write(
        'trueup.yaml',
        `connections:
  shop: { connector: postgres, url: "${toSource.url(scenario.source.url)}", limits: { breaker: ${breaker} } }
  copy: { connector: postgres, url: "${scenario.target.url}" }
jobs:${ORDERS_JOB}    retries: ${retries}\n`,
      ),
    async breaker() {
      const { stdout } = await scenario.trueup('status', '--json');
      const { connections } = JSON.parse(stdout) as { connections: { connection: string; breaker: Breaker }[] };
      expect(connections.map(({ connection }) => connection)).toEqual(['shop']);
      return connections[0]?.breaker as Breaker;
    },
  };
}

describeWithPostgres('a circuit breaker', () => {
  it(
    'opens when nobody answers; the next runs fail or skip at once, and one after the recovery closes it',
    { timeout: 180_000 },
    async () => {
      const { scenario, toSource, config, breaker } = await wired();
      await config('{ failures: 3, openFor: 1h }');
      expect(await breaker()).toEqual({ state: 'closed', failures: 0 });
      toSource.refuse();
      expect((await scenario.run()).code).toBe(7);
      expect(await breaker()).toMatchObject({ state: 'open', failures: 3, lastCode: 'E_UNREACHABLE' });
      expect((await scenario.trueup('status')).stdout).toMatch(/connection +circuit breaker.*\n.*shop +open .* 3 +E_UNREACHABLE/);

      const asked = toSource.accepted;
      await config('{ failures: 3, openFor: 1h, onOpen: fail }', '{ attempts: 8, maxDelay: 5m }');
      const failed = await scenario.run();
      expect(failed.code).toBe(7);
      expect(failed.report.jobs[0]?.error).toMatchObject({ code: 'E_CIRCUIT_OPEN' });
      expect(failed.report.jobs[0]?.error?.message).toMatch(
        /^connection 'shop': the circuit breaker is open until .* the last E_UNREACHABLE$/,
      );

      await config('{ failures: 3, openFor: 1h, onOpen: skip }');
      const skipped = await scenario.run();
      expect([skipped.code, skipped.report.jobs[0]?.status]).toEqual([3, 'incomplete']);
      expect(skipped.report.jobs[0]).toMatchObject({ error: { code: 'E_CIRCUIT_SKIPPED' } });
      expect(skipped.report.jobs[0]).not.toHaveProperty('guarantee');
      expect(toSource.accepted).toBe(asked);

      await config('{ failures: 3, openFor: 1s }');
      await expect.poll(async () => (await breaker()).state, { timeout: 30_000, interval: 100 }).toBe('half-open');
      toSource.pass();
      expect((await scenario.run()).code).toBe(0);
      expect(await breaker()).toMatchObject({ state: 'closed', failures: 0 });
    },
  );

  it('makes a run wait while it is open, and go on once the server is back', { timeout: 180_000 }, async () => {
    const { scenario, toSource, config, breaker } = await wired();
    await config('{ failures: 2, openFor: 5s }', '{ attempts: 20, maxDelay: 10s }');
    toSource.refuse();
    const running = scenario.start(['run', '--json']);
    await expect.poll(async () => (await breaker()).state, { timeout: 60_000, interval: 500 }).toBe('open');
    toSource.pass();
    const ran = ranOf(await running.waitForExit(60_000));
    expect(ran.code).toBe(0);
    expect(ran.stream('public.orders')).toMatchObject({ status: 'succeeded', upserted: 100 });
    expect((await breaker()).state).toBe('closed');
  });

  it(
    'that opens in the middle of a run skips its streams, while another connection to the same data works',
    { timeout: 180_000 },
    async () => {
      const { scenario, toSource } = await wired();
      await scenario.write(
        'trueup.yaml',
        `connections:
  shop: { connector: postgres, url: "${toSource.url(scenario.source.url)}", limits: { breaker: { failures: 2, openFor: 1h, onOpen: skip } } }
  near: { connector: postgres, url: "${scenario.source.url}" }
  copy: { connector: postgres, url: "${scenario.target.url}" }
jobs:${ORDERS_JOB}    retries: { attempts: 5, maxDelay: 1s }
  near: { source: near, target: copy, streams: [{ from: public.orders, to: public.near, changes: { by: cursor, field: updated_at } }] }
`,
      );
      const running = scenario.start(['run', 'orders', '--follow', '--json']);
      const count = async (): Promise<unknown> => (await scenario.target.query('select count(*)::int as n from orders').catch(() => []))[0];
      await expect.poll(count, { timeout: 60_000 }).toEqual({ n: 100 });
      toSource.refuse();
      const ran = ranOf(await running.waitForExit(90_000));
      expect([ran.code, ran.report.status]).toEqual([3, 'incomplete']);
      expect(ran.stream('public.orders')).toMatchObject({ status: 'skipped', upserted: 100, error: { code: 'E_CIRCUIT_SKIPPED' } });
      const both = await scenario.run();
      expect(both.report.jobs.map(({ status, exitCode }) => [status, exitCode])).toEqual([
        ['incomplete', 3],
        ['succeeded', 0],
      ]);
    },
  );
});

const CONNECTOR = `
import { defineConnector, openHttpClient, pagedSource, z } from 'trueup/sdk';

export default defineConnector({
  name: 'api',
  summary: 'A test API.',
  options: z.strictObject({ url: z.string().meta({ description: 'Address.' }) }),
  cursorVersion: 1,
  limits: 'requests',
  openSource({ url }, { limiter, log }) {
    const client = openHttpClient({
      baseUrl: url,
      timeouts: { connectMs: 5_000, headersMs: 5_000, idleMs: 5_000 },
      maxBodyBytes: 1_000_000,
      retry: { attempts: 2, maxDelayMs: 1_000 },
      limiter,
      log,
    });
    const fields = { id: 'int64' };
    return pagedSource({
      identity: 'api',
      streams: { a: { key: ['id'], fields }, b: { key: ['id'], fields } },
      async page(stream, after, signal) {
        const answer = await client.request({ method: 'GET', url: '/' + stream + '?after=' + (after ?? 0), signal });
        return JSON.parse(await answer.text());
      },
    });
  },
});
`;

describeWithPostgres('limits of a connection', () => {
  it('hold for all jobs of the process together: as many requests at the same time, as many per second', { timeout: 120_000 }, async () => {
    const times: number[] = [];
    let open = 0;
    let most = 0;
    const server = createServer((request, response) => {
      times.push(performance.now());
      open += 1;
      most = Math.max(most, open);
      const after = Number(/after=(\d+)/.exec(request.url ?? '')?.[1]);
      setTimeout(() => {
        open -= 1;
        response.end(JSON.stringify({ rows: [{ id: after + 1 }], more: after < 4, cursor: after + 1 }));
      }, 150);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    const scenario = await openScenario();
    await scenario.write('api.ts', CONNECTOR);
    const config = (limits: string): Promise<void> =>
      scenario.write(
        'trueup.yaml',
        `connections:
  api: { connector: ./api.ts, url: "http://127.0.0.1:${(server.address() as AddressInfo).port}", limits: ${limits} }
  copy: { connector: postgres, url: "${scenario.target.url}" }
jobs:
  one: { source: api, target: copy, streams: [{ from: a, to: public.a1 }, { from: b, to: public.b1 }] }
  two: { source: api, target: copy, streams: [{ from: a, to: public.a2 }, { from: b, to: public.b2 }] }
`,
      );
    await config('{ concurrency: 100 }');
    const free = await scenario.run();
    expect([free.code, most]).toEqual([0, expect.toSatisfy((count: number) => count > 2)]);

    [most, times.length] = [0, 0];
    await config('{ concurrency: 2, perSecond: 10 }');
    const ran = await scenario.run('--full');
    expect(ran.code).toBe(0);
    expect(most).toBeLessThanOrEqual(2);
    expect(times.length).toBeGreaterThanOrEqual(20);
    const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
    expect(spanMs).toBeGreaterThan((times.length - 1) * 100 - 200);
  });
});
