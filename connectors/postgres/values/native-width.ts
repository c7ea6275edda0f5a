/*
 * Which native types hold every value of which others, by the text of format_type. Within these families the text of a value means the same in
 * the wider type, so it is copied unread, and ALTER TABLE to the wider type changes no value.
 */

interface NativeText {
  readonly name: string;
  readonly modifiers: readonly number[];
}

const INTEGERS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };

/** Whether every value of `narrow` is one of `wide`, with the same text. Equal types are wide enough. */
export function isWideEnough(narrow: string, wide: string): boolean {
  if (narrow === wide) return true;
  if (narrow.endsWith('[]') && wide.endsWith('[]')) return isWideEnough(narrow.slice(0, -2), wide.slice(0, -2));
  const from = parseNative(narrow);
  const to = parseNative(wide);
  const digits = INTEGERS[from.name];
  if (digits !== undefined && INTEGERS[to.name] !== undefined) return digits <= (INTEGERS[to.name] as number);
  if (to.name === 'numeric')
    return (
      (digits !== undefined && holdsNumber([digits, 0], to.modifiers)) ||
      (from.name === 'numeric' && holdsNumber(from.modifiers, to.modifiers))
    );
  if (from.name === 'real') return to.name === 'double precision';
  if (to.name === 'text') return from.name === 'character varying' || from.name === 'text';
  if (from.name === to.name && isSized(from.name))
    return to.modifiers.length === 0 || (from.modifiers[0] ?? Infinity) <= (to.modifiers[0] as number);
  return false;
}

function isSized(name: string): boolean {
  return name === 'character varying' || name === 'bit varying' || /^(timestamp|time) with/.test(name);
}

/** Without modifiers a numeric holds any number; a scale only ever grows. */
function holdsNumber(from: readonly number[], to: readonly number[]): boolean {
  if (to.length === 0) return true;
  if (from.length === 0) return false;
  const [fromPrecision = 0, fromScale = 0] = from;
  const [toPrecision = 0, toScale = 0] = to;
  return toScale >= fromScale && toPrecision - toScale >= fromPrecision - fromScale;
}

/** `timestamp(3) without time zone` is `timestamp without time zone` with the modifier 3. */
function parseNative(text: string): NativeText {
  const [, before = text, modifiers, after = ''] = /^([^(]+)\(([-\d,]+)\)(.*)$/.exec(text) ?? [];
  return { name: before + after, modifiers: modifiers === undefined ? [] : modifiers.split(',').map(Number) };
}
