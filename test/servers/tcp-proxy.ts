/** Part of the fault kit, so that third parties have it too. */
export { startTcpProxy } from '../../src/testing/faults/tcp-proxy.ts';
export type { TcpProxy } from '../../src/testing/faults/tcp-proxy.ts';
