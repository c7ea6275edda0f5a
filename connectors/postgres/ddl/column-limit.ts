import type { Cell } from '../../../src/sdk.ts';
import { shortestSingle } from '../lane/single.ts';

/** A value that the column would store as another one without saying so. */
export interface LimitLoss {
  /** What is lost, without the value. */
  readonly loss: string;
  readonly cut?: Cell;
}

/** `null`: the column stores the value exactly, or refuses it loudly. */
export type Limit = (cell: Cell) => LimitLoss | null;

export interface ColumnLimit {
  readonly check: Limit;
  /** What may be lost, for people. */
  readonly loss: string;
  /** Whether values of the type commonly go beyond it. Not so: only the seventh digit of a second does. */
  readonly tight: boolean;
}

/**
 * What Postgres cuts or rounds silently when text is read into a type: spaces beyond `varchar(n)`, digits beyond the scale of a numeric,
 * fractions of a second beyond the precision, bits beyond a float4. Everything else that does not fit is an error of the server's.
 *
 * @param text format_type of the column's type, beneath its domain
 */
export function columnLimit(text: string): ColumnLimit | null {
  if (text.endsWith('[]')) return elementLimit(columnLimit(text.slice(0, -2)));
  const [, name = '', modifier] = /^([^(]+?)(?:\((-?\d+(?:,-?\d+)?)\))?(?: with(?:out)? time zone)?$/.exec(text) ?? [];
  const [first, second] = (modifier ?? '').split(',').map(Number);
  switch (name) {
    case 'character varying':
    case 'character':
      return modifier === undefined ? null : tight(`more than ${first} characters`, (cell) => tooLong(cell, first as number));
    case 'numeric':
      return modifier === undefined ? null : tight(`digits beyond a scale of ${second ?? 0}`, (cell) => beyondScale(cell, second ?? 0));
    case 'timestamp':
    case 'time':
      return fractionLimit(modifier === undefined ? null : (first as number), text.endsWith(' with time zone') && name === 'timestamp');
    case 'real':
      return tight('digits beyond single precision', beyondSingle);
    default:
      return null;
  }
}

function tight(loss: string, check: Limit): ColumnLimit {
  return { loss, check, tight: true };
}

function elementLimit(limit: ColumnLimit | null): ColumnLimit | null {
  if (limit === null) return null;
  const check: Limit = (cell) => {
    if (!Array.isArray(cell)) return null;
    const losses = (cell as readonly Cell[]).map((element) => (element === null || element === undefined ? null : check1(element)));
    const first = losses.find((loss) => loss !== null);
    if (first === undefined || first === null) return null;
    const cut = (cell as readonly Cell[]).map((element, index) => losses[index]?.cut ?? element);
    return losses.every((loss) => loss === null || loss.cut !== undefined) ? { loss: first.loss, cut } : { loss: first.loss };
  };
  const check1 = (element: Cell) => (Array.isArray(element) ? check(element) : limit.check(element));
  return { ...limit, check };
}

function tooLong(cell: Cell, max: number): LimitLoss | null {
  if (typeof cell !== 'string' || cell.length <= max) return null;
  const characters = [...cell]; // code points, as the server counts
  return characters.length <= max ? null : { loss: `the text has more than ${max} characters`, cut: characters.slice(0, max).join('') };
}

function beyondScale(cell: Cell, scale: number): LimitLoss | null {
  const [, sign, whole, fraction = ''] = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(cell as string) ?? [];
  if (whole === undefined) return /^[+-]?(nan|inf(inity)?)$/i.test(cell as string) ? null : { loss: 'the number is not in plain notation' };
  if (scale >= 0) {
    if (/^0*$/.test(fraction.slice(scale))) return null;
    return {
      loss: `the number has more than ${scale} digits after the point`,
      cut: `${sign}${whole || '0'}.${fraction.slice(0, scale)}`.replace(/\.$/, ''),
    };
  }
  const kept = Math.max(whole.length + scale, 0);
  if (/^0*$/.test(whole.slice(kept) + fraction)) return null;
  return {
    loss: `the number is no multiple of 1${'0'.repeat(-scale)}`,
    cut: `${sign}${whole.slice(0, kept) || '0'}${'0'.repeat(whole.length - kept)}`,
  };
}

/** Without a modifier the server keeps microseconds. */
function fractionLimit(precision: number | null, instant: boolean): ColumnLimit | null {
  const digits = precision ?? 6;
  const loss = `a fraction of a second beyond ${digits} digits`;
  if (instant) {
    if (digits >= 6) return null; // a carrier has no more
    const unit = 10n ** BigInt(6 - digits);
    const check: Limit = (cell) =>
      typeof cell === 'bigint' && cell % unit !== 0n && !isInfinite(cell) ? { loss, cut: cell - (((cell % unit) + unit) % unit) } : null;
    return { loss, check, tight: true };
  }
  const check: Limit = (cell) => {
    const fraction = typeof cell === 'string' ? /\.(\d+)/.exec(cell)?.[1] : undefined;
    if (fraction === undefined || /^0*$/.test(fraction.slice(digits))) return null;
    return { loss, cut: (cell as string).replace(/\.\d+/, digits === 0 ? '' : `.${fraction.slice(0, digits)}`) };
  };
  return { loss, check, tight: precision !== null };
}

function isInfinite(cell: bigint): boolean {
  return cell === 2n ** 63n - 1n || cell === -(2n ** 63n - 1n);
}

/** A value is kept when it is what the server writes for the float4. */
function beyondSingle(cell: Cell): LimitLoss | null {
  if (typeof cell !== 'number' || !Number.isFinite(cell) || shortestSingle(cell) === cell) return null;
  return { loss: 'the number has more digits than single precision holds', cut: Math.fround(cell) };
}
