import { Timestamp } from 'bson';
import { BSON, rawElements, rawText } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';

/** The clock of a replica set or cluster: seconds since 1970 in the upper 32 bits, a counter within the second in the lower. Every entry of the oplog has its own. */
export type ClusterTime = bigint;

/** Of a Timestamp as the driver makes it, whose class may be another copy of this one. `null`: it is something else. */
export function clusterTimeOf(value: unknown): ClusterTime | null {
  if ((value as { readonly _bsontype?: unknown } | undefined)?._bsontype !== 'Timestamp') return null;
  const timestamp = value as Timestamp;
  return (BigInt(timestamp.getHighBitsUnsigned()) << 32n) | BigInt(timestamp.getLowBitsUnsigned());
}

export function timestampOf(time: ClusterTime): Timestamp {
  return new Timestamp({ t: Number(time >> 32n), i: Number(time & 0xffff_ffffn) });
}

/** `1795898267:2` */
export function timeText(time: ClusterTime): string {
  return `${time >> 32n}:${time & 0xffff_ffffn}`;
}

/** What `timeText` wrote; `null`: another text. */
export function parseTime(text: string): ClusterTime | null {
  const [, seconds, counter] = /^(\d{1,10}):(\d{1,10})$/.exec(text) ?? [];
  return seconds === undefined || counter === undefined ? null : (BigInt(seconds) << 32n) | BigInt(counter);
}

export function timeMs(time: ClusterTime): number {
  return Number(time >> 32n) * 1000;
}

export function rawTime({ bytes, from }: RawValue): ClusterTime {
  return bytes.readBigUInt64LE(from);
}

/**
 * The time that a resume token stands at: the first value of its key string, which is a timestamp (type byte 0x82) in every version of tokens. A token is
 * either that of an event, or stands before all events of its time.
 *
 * @returns `null` for a token of another kind
 */
export function tokenTime(token: RawValue): ClusterTime | null {
  const data = rawElements(token).find(({ name }) => name === '_data')?.value;
  if (data?.type !== BSON.string) return null;
  const hex = /^82([0-9A-Fa-f]{16})/.exec(rawText(data))?.[1];
  return hex === undefined ? null : BigInt(`0x${hex}`);
}
