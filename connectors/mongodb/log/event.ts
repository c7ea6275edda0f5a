import { BSON, rawElements, rawText } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import { rawTime, timeMs } from './cluster-time.ts';
import type { ClusterTime } from './cluster-time.ts';

/** What an event does to one stream. */
export type LogChange =
  | { readonly kind: 'upsert'; readonly stream: string; readonly document: Uint8Array }
  /** `key`: a document with the `_id`. `before`: what is known of the document as it was. */
  | { readonly kind: 'touch' | 'delete'; readonly stream: string; readonly key: Uint8Array; readonly before: Uint8Array | null }
  | { readonly kind: 'truncate'; readonly stream: string }
  /** Another collection took its place: what it holds was written before, so nothing tells of it. */
  | { readonly kind: 'reload'; readonly stream: string };

/** One entry of a change stream. */
export interface LogEvent {
  readonly token: RawValue;
  readonly time: ClusterTime;
  /** When it happened by the clock of its server, as exactly as that is known (ms since 1970). */
  readonly timeMs: number;
  /** Shared by the events of one transaction; `null`: it stands alone. */
  readonly transaction: string | null;
  readonly changes: readonly LogChange[];
}

type Members = ReadonlyMap<string, RawValue>;

/** An event as the server sent it, without its old and new values where nobody needs them. */
export function readEvent(raw: RawValue, streams: ReadonlySet<string>): LogEvent {
  const members: Members = new Map(rawElements(raw).map(({ name, value }) => [name, value]));
  const token = members.get('_id') as RawValue;
  const time = rawTime(members.get('clusterTime') as RawValue);
  const wall = members.get('wallTime');
  return {
    token,
    time,
    timeMs: wall?.type === BSON.date ? Number(wall.bytes.readBigInt64LE(wall.from)) : timeMs(time),
    transaction: transactionOf(members),
    changes: changesOf(members, streams),
  };
}

function transactionOf(members: Members): string | null {
  const session = members.get('lsid');
  const number = members.get('txnNumber');
  return session === undefined || number === undefined ? null : `${hex(session)} ${hex(number)}`;
}

function changesOf(members: Members, streams: ReadonlySet<string>): LogChange[] {
  const stream = collectionOf(members.get('ns'));
  const type = members.get('operationType');
  switch (type === undefined ? '' : rawText(type)) {
    case 'insert':
    case 'replace':
    case 'update':
      return streams.has(stream) ? written(members, stream) : [];
    case 'delete':
      return streams.has(stream)
        ? [{ kind: 'delete', stream, key: keyOf(members), before: documentOf(members, 'fullDocumentBeforeChange') }]
        : [];
    case 'drop':
      return streams.has(stream) ? [{ kind: 'truncate', stream }] : [];
    case 'rename':
      return renamed(stream, collectionOf(members.get('to')), streams);
    default:
      return [];
  }
}

/** What it was before is told first, then what it is. */
function written(members: Members, stream: string): LogChange[] {
  const before = documentOf(members, 'fullDocumentBeforeChange');
  const document = documentOf(members, 'fullDocument');
  const key = keyOf(members);
  return [
    ...(before === null ? [] : [{ kind: 'touch' as const, stream, key, before }]),
    document === null ? { kind: 'touch', stream, key, before: null } : { kind: 'upsert', stream, document },
  ];
}

function renamed(from: string, to: string, streams: ReadonlySet<string>): LogChange[] {
  return [
    ...(streams.has(from) ? [{ kind: 'truncate' as const, stream: from }] : []),
    ...(streams.has(to) ? [{ kind: 'reload' as const, stream: to }] : []),
  ];
}

function collectionOf(namespace: RawValue | undefined): string {
  if (namespace?.type !== BSON.document) return '';
  const name = rawElements(namespace).find((element) => element.name === 'coll')?.value;
  return name?.type === BSON.string ? rawText(name) : '';
}

function keyOf(members: Members): Uint8Array {
  return bytesOf(members.get('documentKey') as RawValue);
}

/** `null`: it is not there, or the server has no image of it. */
function documentOf(members: Members, name: string): Uint8Array | null {
  const value = members.get(name);
  return value?.type === BSON.document ? bytesOf(value) : null;
}

function bytesOf({ bytes, from, to }: RawValue): Uint8Array {
  return bytes.subarray(from, to);
}

function hex({ bytes, from, to }: RawValue): string {
  return bytes.toString('hex', from, to);
}
