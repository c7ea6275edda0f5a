/*
 * How a float4 comes back: as the shortest text that means it and no other. As the server does it, a text half way to a neighbour does not count, though
 * it would be read as the same value; and of two equally near the even one is taken.
 */

const DIGITS = 9;

/** The number that the server writes for a float4 which was given this value. */
export function shortestSingle(value: number): number {
  const single = Math.fround(value);
  if (!Number.isFinite(single) || single === 0) return single;
  const size = Math.abs(single);
  const [low, high] = halfWays(size);
  // Every digit that may decide between two texts.
  // oxlint-disable-next-line oxc/number-arg-out-of-range -- 100 digits are allowed since ES2018
  const [mantissa = '', exponent = ''] = size.toExponential(99).split('e');
  const digits = mantissa.replace('.', '');
  for (let count = 1; count <= DIGITS; count++) {
    const down = Number(digits.slice(0, count));
    for (const head of isUp(down, digits.slice(count)) ? [down + 1, down] : [down, down + 1]) {
      const candidate = Number(`${head}e${Number(exponent) - count + 1}`);
      if (low < candidate && candidate < high) return Math.sign(single) * candidate;
    }
  }
  return single;
}

function isUp(head: number, rest: string): boolean {
  const isTie = /^50*$/.test(rest);
  return isTie ? head % 2 === 1 : rest >= '5';
}

const bits = new Uint32Array(1);
const asSingle = new Float32Array(bits.buffer);

/** Half way to the float4 below and above. Exact in a float64. */
function halfWays(size: number): readonly [low: number, high: number] {
  asSingle[0] = size;
  const own = bits[0] as number;
  const at = (pattern: number) => {
    bits[0] = pattern;
    return asSingle[0] as number;
  };
  const [below, above] = [at(own - 1), at(own + 1)];
  return [(below + size) / 2, Number.isFinite(above) ? (size + above) / 2 : size + (size - below) / 2];
}
