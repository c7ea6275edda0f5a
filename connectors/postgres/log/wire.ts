import type { Lsn } from './lsn.ts';

/*
 * Messages of the streaming replication protocol. https://www.postgresql.org/docs/current/protocol-replication.html
 * Times in them are microseconds since 2000-01-01.
 */

const Y2K_MS = Date.UTC(2000, 0, 1);

export const XLOG_DATA = 0x77; // w
export const KEEPALIVE = 0x6b; // k

/** Bytes of `XLogData` before what the plugin wrote: its kind, the place, the server's end of the log, its clock. */
export const XLOG_HEADER = 25;

export interface Keepalive {
  /** Everything before it was sent. */
  readonly end: Lsn;
  readonly wantsReply: boolean;
}

export function readKeepalive(bytes: Buffer, at: number): Keepalive {
  return { end: bytes.readBigUInt64BE(at + 1), wantsReply: bytes[at + 17] === 1 };
}

/** Milliseconds since 1970, with a fraction. */
export function wireTimeMs(micros: bigint): number {
  return Y2K_MS + Number(micros) / 1000;
}

/** Standby status update: `flushed` is what the server may forget, and how far it will go on from. */
export function statusUpdate(
  received: Lsn,
  flushed: Lsn,
  { nowMs, askReply }: { readonly nowMs: number; readonly askReply: boolean },
): Buffer {
  const message = Buffer.alloc(34);
  message[0] = 0x72; // r
  message.writeBigUInt64BE(received, 1);
  message.writeBigUInt64BE(flushed, 9);
  message.writeBigUInt64BE(flushed, 17);
  message.writeBigInt64BE(BigInt(Math.round((nowMs - Y2K_MS) * 1000)), 25);
  message[33] = askReply ? 1 : 0;
  return message;
}
