import { Decimal128 } from 'bson';

/** The nearest Decimal128. `null`: the exponent is beyond it, so that infinity or nothing at all would be left. */
export function roundedDecimal(text: string): Decimal128 | null {
  try {
    const rounded = Decimal128.fromStringWithRounding(text);
    return /^-?(\d|\.)/.test(rounded.toString()) && Number(rounded.toString()) !== 0 ? rounded : null;
  } catch {
    return null;
  }
}
