import type { Client } from 'pg';
import type { ServerAddress } from '../options.ts';

const CANCEL_MS = 2000;

interface WireConnection extends NodeJS.EventEmitter {
  readonly stream: { unref?(): void; destroy(): void };
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(pid: number, secret: unknown): void;
  end(): void;
}

/**
 * Asks the server, on a connection of its own, to cancel what `client` runs: a destroyed socket alone is noticed only when the server next
 * writes to it, which a long sort does not. Best effort; nobody waits for it.
 */
export function sendCancel(client: Client, where: ServerAddress): void {
  const { processID, secretKey, ssl } = client as unknown as {
    readonly processID: number | null;
    readonly secretKey: unknown;
    readonly ssl: unknown;
  };
  if (processID === null || secretKey === null) return;
  const Wire = client.connection.constructor as unknown as new (config: { readonly ssl: unknown }) => WireConnection;
  const wire = new Wire({ ssl });
  const timer = setTimeout(() => wire.stream.destroy(), CANCEL_MS).unref();
  const send = () => wire.cancel(processID, secretKey);
  wire.on('error', () => undefined);
  wire.on('end', () => clearTimeout(timer));
  wire.on('connect', () => (ssl ? wire.requestSsl() : send()));
  wire.on('sslconnect', send);
  if (where.host.startsWith('/')) wire.connect(`${where.host}/.s.PGSQL.${where.port}`);
  else wire.connect(where.port, where.host);
}
