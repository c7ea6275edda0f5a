/** Beyond so many digits a number is written with an exponent. */
const MAX_PLAIN = 150_000;

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/**
 * One text for all ways of writing the same decimal number: no sign of plus or of zero, no zeros that say nothing, no exponent unless the number is
 * enormous. `NaN`, the infinities and what is no number stay as they are.
 */
export function canonicalNumber(text: string): string {
  if (isCanonical(text)) return text;
  const match = DECIMAL.exec(text);
  if (match === null) return text;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return text;
  const all = whole + fraction;
  const digits = all.replace(/^0+/, '').replace(/0+$/, '');
  if (digits === '') return '0';
  const trailing = all.length - all.replace(/0+$/, '').length;
  const minus = sign === '-' ? '-' : '';
  // The number is `digits` times ten to the power of `power`.
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(trailing);
  if (power < -MAX_PLAIN || power + BigInt(digits.length) > MAX_PLAIN) return `${minus}${digits}e${power}`;
  return `${minus}${plain(digits, Number(power))}`;
}

function plain(digits: string, power: number): string {
  if (power >= 0) return digits + '0'.repeat(power);
  const padded = digits.padStart(1 - power, '0');
  return `${padded.slice(0, power)}.${padded.slice(power)}`;
}

/** Whole digits without a zero in front, or with a fraction that ends in no zero: most numbers there are, told without a regular expression. */
function isCanonical(text: string): boolean {
  const { length } = text;
  const from = text.charCodeAt(0) === 45 ? 1 : 0;
  if (length === from || length > MAX_PLAIN) return false;
  let point = -1;
  for (let at = from; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code === 46 && point === -1 && at > from) point = at;
    else if (code < 48 || code > 57) return false;
  }
  const leadingZero = text.charCodeAt(from) === 48;
  if (point === -1) return !leadingZero || (length === 1 && from === 0);
  if (point === length - 1 || text.charCodeAt(length - 1) === 48) return false;
  return !leadingZero || point === from + 1;
}
