import { expect, it, onTestFinished } from 'vitest';
import { seedOrders, openScenario } from '../end-to-end/scenario.ts';
import { describeWithPostgres, serverUrl } from '../servers/postgres.ts';
import { startTcpProxy } from '../servers/tcp-proxy.ts';

const stream = 'streams: [{ from: public.orders, changes: { by: cursor, field: updated_at }, to: public';
const JOBS = `
  beside: { source: shop, target: copy, ${stream}.orders }] }
  apart: { source: shop, target: copy, checkpoints: state, ${stream}.others }] }
`;

interface Printed {
  readonly exitCode: number;
  readonly jobs: readonly Readonly<Record<string, unknown>>[];
}

describeWithPostgres('status', () => {
  it('of a job whose target is down shows what the state store knows, and says what it could not ask', async () => {
    const proxy = await startTcpProxy(serverUrl());
    onTestFinished(() => proxy.close());
    const scenario = await openScenario();
    await seedOrders(scenario.source, 100);
    await scenario.write(
      'trueup.yaml',
      `connections:\n  shop: { connector: postgres, url: "\${SHOP_URL}" }\n  copy: { connector: postgres, url: "${proxy.url(scenario.target.url)}" }\njobs:${JOBS}`,
    );
    expect((await scenario.run()).code).toBe(0);
    proxy.refuse();

    const { code, stdout } = await scenario.trueup('status', '--json');
    const { exitCode, jobs } = JSON.parse(stdout) as Printed;
    expect({ code, exitCode }).toEqual({ code: 7, exitCode: 7 });
    const [beside, apart] = jobs;
    expect(beside).toMatchObject({
      job: 'beside',
      lastRun: { status: 'succeeded' },
      unknown: { connection: 'copy', code: 'E_UNREACHABLE' },
    });
    expect(beside).not.toHaveProperty('feeds');
    expect(beside).not.toHaveProperty('deadLetters');
    expect(apart).toMatchObject({ job: 'apart', deadLetters: 0, feeds: [{ feed: 'changes:public.orders', state: 'open' }] });
    expect(apart).not.toHaveProperty('unknown');

    const { stdout: text } = await scenario.trueup('status');
    expect(text).toMatch(/^beside +succeeded .* \? +\?$/m);
    expect(text).toContain("beside: 'copy' keeps the rest, and cannot be asked: [E_UNREACHABLE]");
    expect((await scenario.trueup('status', 'apart', '--json')).code).toBe(0);

    proxy.pass();
    expect((await scenario.trueup('status')).code).toBe(0);
  });
});
