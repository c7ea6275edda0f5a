import { startEmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';

/** A parent to be killed: starts a server, says where, and waits. */
const server = await startEmbeddedPostgres({ settings: { fsync: 'off' } });
process.stdout.write(`${JSON.stringify({ pid: server.pid, dataDir: server.dataDir, port: server.port })}\n`);
setInterval(() => {}, 1_000);
