import { civilFromDays } from '../../../src/sdk.ts';
import { shortestSingle } from '../lane/single.ts';

/*
 * Values of COPY's binary format as the text that the server itself writes under the settings of `session.ts`. Rows that are handed on are looked into
 * where a fault or a place asks for it, so only types are here whose text is known to the last character.
 */

/** @param bytes of one value, which are somebody else's afterwards */
export type BinaryText = (bytes: Buffer) => string;

/** Days from 1970 to 2000, where the server counts from. */
const EPOCH_DAYS = 10_957;
const DAY_MICROS = 86_400_000_000n;

/** By format_type without a modifier. Both sides send and receive the same bytes for it. */
const DECODERS: Readonly<Record<string, BinaryText>> = {
  boolean: (bytes) => (bytes[0] === 1 ? 't' : 'f'),
  smallint: (bytes) => String(bytes.readInt16BE(0)),
  integer: (bytes) => String(bytes.readInt32BE(0)),
  bigint: (bytes) => String(bytes.readBigInt64BE(0)),
  real: (bytes) => floatText(shortestSingle(bytes.readFloatBE(0)), 6),
  'double precision': (bytes) => floatText(bytes.readDoubleBE(0), 15),
  numeric: numericText,
  text: utf8,
  'character varying': utf8,
  character: utf8,
  json: utf8,
  // Before the text stands its version.
  jsonb: (bytes) => bytes.toString('utf8', 1),
  bytea: (bytes) => `\\x${bytes.toString('hex')}`,
  uuid: (bytes) => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  date: (bytes) => dateText(bytes.readInt32BE(0)),
  'time without time zone': (bytes) => clockText(bytes.readBigInt64BE(0)),
  'timestamp without time zone': (bytes) => instantText(bytes.readBigInt64BE(0), ''),
  'timestamp with time zone': (bytes) => instantText(bytes.readBigInt64BE(0), '+00'),
};

/** format_type without its modifier, where it is one whose bytes are read here; else `null`. */
export function binaryType(native: string | undefined): string | null {
  const name = native?.replace(/\([\d,-]+\)/, '');
  return name !== undefined && Object.hasOwn(DECODERS, name) ? name : null;
}

export function binaryText(name: string): BinaryText {
  return DECODERS[name] as BinaryText;
}

function utf8(bytes: Buffer): string {
  return bytes.toString('utf8');
}

/** @param digits from this exponent on the server writes one */
function floatText(value: number, digits: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [, sign = '', head = '', tail = '', power = ''] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(value.toExponential()) ?? [];
  const exponent = Number(power);
  const all = head + tail;
  if (exponent < -4 || exponent >= digits)
    return `${sign}${head}${tail === '' ? '' : `.${tail}`}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${all}`;
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const rest = all.slice(exponent + 1);
  return `${sign}${whole}${rest === '' ? '' : `.${rest}`}`;
}

const SPECIAL: Readonly<Record<number, string>> = { 0xc000: 'NaN', 0xd000: 'Infinity', 0xf000: '-Infinity' };

/** Groups of four digits; the weight is the place of the first, the scale how many digits of the fraction are shown. */
function numericText(bytes: Buffer): string {
  const count = bytes.readInt16BE(0);
  const weight = bytes.readInt16BE(2);
  const sign = bytes.readUInt16BE(4);
  const scale = bytes.readInt16BE(6);
  const special = SPECIAL[sign];
  if (special !== undefined) return special;
  const group = (at: number) => (at < 0 || at >= count ? 0 : bytes.readInt16BE(8 + at * 2));
  let whole = weight < 0 ? '0' : String(group(0));
  for (let at = 1; at <= weight; at++) whole += String(group(at)).padStart(4, '0');
  let fraction = '';
  for (let at = weight + 1; fraction.length < scale; at++) fraction += String(group(at)).padStart(4, '0');
  return `${sign === 0x4000 ? '-' : ''}${whole}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`;
}

function dateText(days: number): string {
  if (days === 0x7fffffff) return 'infinity';
  if (days === -0x80000000) return '-infinity';
  const [text, era] = dayText(days);
  return text + era;
}

function instantText(micros: bigint, zone: string): string {
  if (micros === 0x7fffffffffffffffn) return 'infinity';
  if (micros === -0x8000000000000000n) return '-infinity';
  const ofDay = ((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS;
  const [day, era] = dayText(Number((micros - ofDay) / DAY_MICROS));
  return `${day} ${clockText(ofDay)}${zone}${era}`;
}

/** @param days since 2000 */
function dayText(days: number): readonly [text: string, era: string] {
  const { year, month, day } = civilFromDays(days + EPOCH_DAYS);
  return [`${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${two(month)}-${two(day)}`, year > 0 ? '' : ' BC'];
}

function clockText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const fraction = Number(micros % 1_000_000n);
  const shown = fraction === 0 ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${shown}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
