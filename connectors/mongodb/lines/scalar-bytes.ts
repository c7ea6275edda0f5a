import { civilFromDays } from '../../../src/sdk.ts';
import type { LineBytes } from './line-bytes.ts';

/*
 * Values of BSON in the canonical text of their logical type, written without a string in between where that is worth it.
 */

const MINUS = 0x2d;
const TWO_32 = 2 ** 32;
const DAY_MS = 86_400_000;
/** 0001-01-01 and 10000-01-01: years of four digits. */
const FIRST_MS = -62_135_596_800_000;
const END_MS = 253_402_300_800_000;

export function writeInt32(out: LineBytes, bytes: Buffer, at: number): void {
  const value = bytes.readInt32LE(at);
  if (value >= 0) return out.digits(value);
  out.ascii(String(value));
}

export function writeInt64(out: LineBytes, bytes: Buffer, at: number): void {
  const low = bytes.readUInt32LE(at);
  if (bytes.readInt32LE(at + 4) === 0 && low < 0x80000000) return out.digits(low);
  out.ascii(String(bytes.readBigInt64LE(at)));
}

export function writeDouble(out: LineBytes, bytes: Buffer, at: number): void {
  const value = bytes.readDoubleLE(at);
  if (value >= 0 && value < 0x80000000 && (value | 0) === value && !Object.is(value, -0)) return out.digits(value);
  out.ascii(Object.is(value, -0) ? '-0' : String(value));
}

/** Texts of days, by the last bits of their number: the dates of a batch mostly lie on few days, or side by side. */
const DAYS = 256;
const dayNumbers = new Float64Array(DAYS).fill(Number.NaN);
const dayTexts = Buffer.alloc(DAYS * 10);

/** A date as an instant of UTC. False, and nothing written: its year has not four digits. */
export function writeInstant(out: LineBytes, bytes: Buffer, at: number): boolean {
  const ms = bytes.readInt32LE(at + 4) * TWO_32 + bytes.readUInt32LE(at);
  if (ms < FIRST_MS || ms >= END_MS) return false;
  const days = Math.floor(ms / DAY_MS);
  const slot = days & (DAYS - 1);
  if (days !== dayNumbers[slot]) rememberDay(days, slot);
  out.room(32);
  for (let index = slot * 10; index < slot * 10 + 10; index++) out.bytes[out.at++] = dayTexts[index] as number;
  writeTime(out, ms - days * DAY_MS);
  return true;
}

function rememberDay(days: number, slot: number): void {
  const { year, month, day } = civilFromDays(days);
  const text = `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
  dayTexts.write(text, slot * 10, 'latin1');
  dayNumbers[slot] = days;
}

/** `T10:00:00.123Z`, without zeros at the end of the fraction. */
function writeTime(out: LineBytes, ofDay: number): void {
  const seconds = (ofDay / 1000) | 0;
  const ms = ofDay - seconds * 1000;
  out.byte(0x54);
  out.padded((seconds / 3600) | 0, 2);
  out.byte(0x3a);
  out.padded(((seconds / 60) | 0) % 60, 2);
  out.byte(0x3a);
  out.padded(seconds % 60, 2);
  if (ms !== 0) {
    out.byte(0x2e);
    if (ms % 100 === 0) out.padded((ms / 100) | 0, 1);
    else if (ms % 10 === 0) out.padded((ms / 10) | 0, 2);
    else out.padded(ms, 3);
  }
  out.byte(0x5a);
}

/** Digits that fit 31 bits with none or up to nine of them behind the point: nearly all decimals there are. False, and nothing written: another one. */
export function writeSmallDecimal(out: LineBytes, bytes: Buffer, at: number): boolean {
  const top = bytes.readUInt32LE(at + 12);
  const digits = bytes.readUInt32LE(at);
  if ((top & 0x1ffff) !== 0 || (top & 0x60000000) === 0x60000000) return false;
  if (digits >= 0x80000000 || bytes.readUInt32LE(at + 4) !== 0 || bytes.readUInt32LE(at + 8) !== 0) return false;
  const scale = 6176 - ((top >>> 17) & 0x3fff);
  if (scale < 0 || scale > 9) return false;
  if (top >>> 31 === 1) out.byte(MINUS);
  const unit = 10 ** scale;
  const whole = Math.floor(digits / unit);
  out.digits(whole);
  if (scale === 0) return true;
  out.byte(0x2e);
  out.padded(digits - whole * unit, scale);
  return true;
}
