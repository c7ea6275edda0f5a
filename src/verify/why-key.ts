import { TrueupError, isTrueupError } from '../errors.ts';
import type { Cell } from '../model/cell.ts';
import { keyFromText } from '../model/key-text.ts';
import { keyNames } from '../model/shape.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import { onlyInTarget, readSides, readTarget, targetExpectation } from './why-sides.ts';
import type { Sides } from './why-sides.ts';
import { sourceKeyOf } from './why-source.ts';

/**
 * Both sides of the record that a person names: by its key in the source, or, where nothing is found under it, by that of the target.
 *
 * @throws {TrueupError} `E_USAGE` when the text is no key of the stream
 */
export async function namedRecord(context: JobContext, planned: PlannedStream, text: string, signal: AbortSignal): Promise<Sides> {
  const key = sourceKey(planned, text);
  if (isTrueupError(key)) {
    const byTarget = await recordByTargetKey(context, planned, text, signal);
    if (byTarget === null) throw key;
    return byTarget;
  }
  const sides = await readSides(context, planned, key, signal);
  if (sides.count > 0 || sides.actual !== null || hasSameKey(planned)) return sides;
  return (await recordByTargetKey(context, planned, text, signal)) ?? sides;
}

function sourceKey({ name, sourcePlan }: PlannedStream, text: string): Cell[] | TrueupError {
  try {
    return keyFromText(sourcePlan.shape, text);
  } catch (error) {
    if (!isTrueupError(error) || (error.fault !== 'record' && error.code !== 'E_USAGE')) throw error;
    const { hint } = error.details;
    return new TrueupError('E_USAGE', `this is no key of stream '${name}': ${error.message}`, {
      cause: error,
      hint: hint ?? `Its key is ${keyNames(sourcePlan.shape).join(', ')}.`,
    });
  }
}

/** Whether a key reads the same on both sides. */
function hasSameKey({ mapping, sourcePlan: { shape } }: PlannedStream): boolean {
  const places = copiesOfKey(mapping, keyNames(shape));
  return places?.length === mapping.shape.key.length && places.every((place, index) => place === index);
}

/** The record that the target holds under the key as typed; `null`: it holds none, or the text is no key of it. */
async function recordByTargetKey(context: JobContext, planned: PlannedStream, text: string, signal: AbortSignal): Promise<Sides | null> {
  const key = targetKey(planned, text);
  if (key === null) return null;
  const expected = await targetExpectation(context, planned, signal);
  const held = key.map((cell, index) => expected.sources[index]?.convert?.(cell) ?? cell);
  const actual = await readTarget(context, planned, held, signal);
  if (actual === null) return null;
  const places = copiesOfKey(planned.mapping, keyNames(planned.sourcePlan.shape));
  const ofSource =
    places === null ? await sourceKeyOf(context, planned, { expected, key: held }, signal) : places.map((place) => key[place]);
  if (ofSource !== null) return readSides(context, planned, ofSource, signal);
  return onlyInTarget(await targetExpectation(context, planned, signal, actual.shape), held, actual);
}

function targetKey({ target }: PlannedStream, text: string): Cell[] | null {
  try {
    return keyFromText(target.shape, text);
  } catch (error) {
    if (isTrueupError(error)) return null;
    throw error;
  }
}

/** For each field of the source's key: its place in the target's key; `null`: one of them is not simply copied. */
function copiesOfKey({ fields, shape }: PlannedStream['mapping'], names: readonly string[]): number[] | null {
  const places = names.map((name) =>
    shape.key.findIndex((index) => {
      const plan = fields[index];
      return plan?.kind === 'copy' && plan.from === name;
    }),
  );
  return places.includes(-1) ? null : places;
}
