/** An exact decimal number: `digits / 10^scale`. `scale` is never negative and says how many digits stand behind the point: 1.50 is {150n, 2}. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** More digits than any supported system holds (Postgres: 131,072 before and 16,383 behind the point). Bounds what an exponent can blow up. */
export const MAX_DECIMAL_DIGITS = 150_000;

const PLAIN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/;

/** Exact; `null` when the text is no finite decimal number or has more digits than `MAX_DECIMAL_DIGITS`. */
export function parseDecimal(text: string): Decimal | null {
  const match = PLAIN.exec(text);
  if (match === null) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return null;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > MAX_DECIMAL_DIGITS || whole.length + fraction.length > MAX_DECIMAL_DIGITS) return null;
  const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n);
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

/** Plain notation, never with an exponent; every digit of the scale is written. */
export function decimalText({ digits, scale }: Decimal): string {
  if (scale === 0) return digits.toString();
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

/** The values that are decimals without being finite numbers. */
export function isSpecialDecimal(text: string): boolean {
  return text === 'NaN' || text === 'Infinity' || text === '-Infinity';
}

/** The canonical text of a decimal carrier, or `null` when it is none. The scale stays: '1.50' is not '1.5'. */
export function canonicalDecimal(text: string): string | null {
  if (/^(?:0|-?[1-9]\d*)(?:\.\d+)?$/.test(text) && text.length < MAX_DECIMAL_DIGITS) return text;
  if (isSpecialDecimal(text)) return text;
  const decimal = parseDecimal(text);
  return decimal === null ? null : decimalText(decimal);
}

export function compareDecimals(a: Decimal, b: Decimal): -1 | 0 | 1 {
  const scale = Math.max(a.scale, b.scale);
  const left = rescaled(a, scale);
  const right = rescaled(b, scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The digits of the same value at a larger scale. */
export function rescaled(value: Decimal, scale: number): bigint {
  return value.scale === scale ? value.digits : value.digits * 10n ** BigInt(scale - value.scale);
}

/** The whole number that is left when the fraction is cut towards zero, and whether there was a fraction. */
export function wholePart({ digits, scale }: Decimal): { readonly whole: bigint; readonly cut: boolean } {
  if (scale === 0) return { whole: digits, cut: false };
  const unit = 10n ** BigInt(scale);
  return { whole: digits / unit, cut: digits % unit !== 0n };
}

/** Moves the point: `places` to the right, or to the left when negative. Exact; 1200 shifted by -2 is 12.00. */
export function shiftDecimal({ digits, scale }: Decimal, places: number): Decimal {
  const shifted = scale - places;
  return shifted >= 0 ? { digits, scale: shifted } : { digits: digits * 10n ** BigInt(-shifted), scale: 0 };
}

/** The same on texts; `null` when the text is no finite decimal number. */
export function shiftDecimalText(text: string, places: number): string | null {
  if (places > 0 && PRICE.test(text)) {
    const point = text.indexOf('.');
    const behind = text.length - point - 1;
    if (behind >= places) {
      const whole = withoutZeros(text.slice(0, point) + text.slice(point + 1, point + 1 + places));
      return behind === places ? whole : `${whole}.${text.slice(point + 1 + places)}`;
    }
  }
  if (places <= 0 && places >= -20 && /^-?(?:0|[1-9]\d{0,30})$/.test(text) && text !== '-0') {
    if (places === 0) return text;
    const negative = text.startsWith('-');
    const digits = (negative ? text.slice(1) : text).padStart(1 - places, '0');
    return `${negative ? '-' : ''}${digits.slice(0, places)}.${digits.slice(places)}`;
  }
  const decimal = parseDecimal(text);
  return decimal === null ? null : decimalText(shiftDecimal(decimal, places));
}

/** Positive, of usual length, and with a fraction. */
const PRICE = /^\d{1,15}\.\d{1,15}$/;

function withoutZeros(digits: string): string {
  let from = 0;
  while (from < digits.length - 1 && digits.charCodeAt(from) === 48) from++;
  return from === 0 ? digits : digits.slice(from);
}

/** Rounds half away from zero, as Postgres does, to `scale` digits behind the point. */
export function roundDecimal(value: Decimal, scale: number): Decimal {
  if (value.scale <= scale) return { digits: rescaled(value, scale), scale };
  const unit = 10n ** BigInt(value.scale - scale);
  const half = unit / 2n;
  return { digits: (value.digits + (value.digits < 0n ? -half : half)) / unit, scale };
}
