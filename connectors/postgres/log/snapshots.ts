import type { Session } from '../session/session.ts';

/** Which transactions a snapshot sees, by their full ids. */
export interface Visibility {
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly running: ReadonlySet<bigint>;
}

/** The text of a pg_snapshot: `10:20:10,14,15`. */
export function parseVisibility(text: string): Visibility {
  const [xmin = '0', xmax = '0', running = ''] = text.split(':');
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), running: new Set(running === '' ? [] : running.split(',').map(BigInt)) };
}

export function sees({ xmin, xmax, running }: Visibility, xid: bigint): boolean {
  return xid < xmin || (xid < xmax && !running.has(xid));
}

const EPOCH = 2n ** 32n;

/** The full id of a transaction that the log names by its low 32 bits: the one nearest to those that run now. */
export function fullXid(low: number, { xmax }: Visibility): bigint {
  const xid = (xmax & ~(EPOCH - 1n)) | BigInt(low);
  if (xid > xmax + EPOCH / 2n && xid >= EPOCH) return xid - EPOCH;
  return xid + EPOCH / 2n < xmax ? xid + EPOCH : xid;
}

export async function readVisibility(session: Session): Promise<Visibility> {
  const [row] = await session.query('select pg_catalog.pg_current_snapshot()::text');
  return parseVisibility(row?.[0] ?? '');
}
