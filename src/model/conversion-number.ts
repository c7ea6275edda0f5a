import { isExactNumber } from './cell-json.ts';
import type { Cell } from './cell.ts';
import type { Attempt, Loss, Note, Step } from './conversion-loss.ts';
import { canonicalDecimal, isSpecialDecimal, parseDecimal, wholePart } from './decimal.ts';
import type { ScalarType } from './logical-type.ts';

const EXACT = 'exact';
const CHECKED = 'checked';

/** Between bool, int32, int64, float64 and decimal. */
export function numberStep(from: ScalarType, to: ScalarType): Step {
  if (to === 'bool') return toBool(from);
  switch (from) {
    case 'bool':
      if (to !== 'int32' && to !== 'int64') return { kind: 'impossible', loss: 'a bool becomes a whole number only' };
      return { kind: EXACT, attempt: (cell) => ofWhole(to, cell === true ? 1n : 0n) };
    case 'int32':
      return { kind: EXACT, attempt: (cell) => ofWhole(to, BigInt(cell as number)) };
    case 'int64':
      if (to === 'decimal') return { kind: EXACT, attempt: (cell) => String(cell as bigint) };
      return {
        kind: CHECKED,
        loss: to === 'int32' ? 'numbers beyond 32 bits' : 'numbers beyond 2^53 with more digits than a float64 holds',
        attempt: (cell) => ofWhole(to, cell as bigint),
      };
    case 'float64':
      return to === 'decimal' ? { kind: EXACT, attempt: floatToDecimal } : { kind: 'lossy', loss: 'fractions', attempt: floatToInt(to) };
    default:
      return to === 'float64'
        ? { kind: CHECKED, loss: 'digits that a float64 has no room for', attempt: decimalToFloat }
        : { kind: 'lossy', loss: 'fractions', attempt: decimalToInt(to) };
  }
}

/** 1 and 0 only. */
function toBool(from: ScalarType): Step {
  if (from !== 'int32' && from !== 'int64') return { kind: 'impossible', loss: 'only whole numbers become a bool' };
  const attempt: Attempt = (cell) => {
    const number = Number(cell as bigint);
    return number === 1 ? true : number === 0 ? false : { loss: 'only 0 and 1 are a bool', code: 'E_RECORD_VALUE' };
  };
  return { kind: CHECKED, loss: 'numbers other than 0 and 1', attempt };
}

function ofWhole(to: ScalarType, whole: bigint): Cell | Loss {
  switch (to) {
    case 'decimal':
      return whole.toString();
    case 'int64':
      return BigInt.asIntN(64, whole) === whole ? whole : { loss: 'the number is beyond 64 bits' };
    case 'int32':
      return BigInt.asIntN(32, whole) === whole ? Number(whole) : { loss: 'the number is beyond 32 bits' };
    default: {
      const number = Number(whole);
      return BigInt(number) === whole ? number : { loss: 'the number has more digits than a float64 holds', cut: number, how: 'rounded' };
    }
  }
}

/** A decimal has no -0: it becomes 0, and is noted. */
function floatToDecimal(cell: Cell, note: Note): Cell | Loss {
  if (Object.is(cell, -0)) return (note('negative-zero'), '0');
  const text = String(cell as number);
  return canonicalDecimal(text) ?? { loss: 'the number has no decimal text', code: 'E_RECORD_VALUE' };
}

function floatToInt(to: ScalarType): Attempt {
  return (cell, note) => {
    const number = cell as number;
    if (!Number.isFinite(number)) return { loss: 'NaN and Infinity are no whole numbers' };
    if (Object.is(number, -0)) note('negative-zero');
    const whole = ofWhole(to, BigInt(Math.trunc(number)));
    return Number.isInteger(number) ? whole : withoutFraction(whole);
  };
}

/** Most whole numbers: what `parseDecimal` would make of them is known without it. */
const USUAL_WHOLE = /^\d{1,15}$/;

function decimalToInt(to: ScalarType): Attempt {
  return (cell) => {
    if (USUAL_WHOLE.test(cell as string)) return ofWhole(to, BigInt(cell as string));
    const decimal = parseDecimal(cell as string);
    if (decimal === null) return { loss: 'NaN and Infinity are no whole numbers' };
    const { whole, cut } = wholePart(decimal);
    return cut ? withoutFraction(ofWhole(to, whole)) : ofWhole(to, whole);
  };
}

function withoutFraction(whole: Cell | Loss): Loss {
  return typeof whole === 'object' && whole !== null && 'loss' in whole ? whole : { loss: 'the number has a fraction', cut: whole };
}

function decimalToFloat(cell: Cell): Cell | Loss {
  const text = cell as string;
  if (isSpecialDecimal(text) || isExactNumber(text)) return Number(text);
  const number = Number(text);
  return { loss: 'the number has more digits than a float64 holds', ...(Number.isFinite(number) ? { cut: number, how: 'rounded' } : {}) };
}
