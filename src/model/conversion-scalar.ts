import { cellToJsonText, jsonToCell, parsedJson } from './cell-json.ts';
import type { Cell } from './cell.ts';
import { attempted } from './conversion-loss.ts';
import type { Attempt, Loss, Step } from './conversion-loss.ts';
import { numberStep } from './conversion-number.ts';
import { timeStep } from './conversion-time.ts';
import { isExactNumber } from './cell-json.ts';
import { parseInstant, parseTimeOfDay, parseTimestamp, timeOfDayText, timestampText } from './civil-time.ts';
import type { ScalarType } from './logical-type.ts';
import { isInstant, scalarFromText, scalarToText } from './scalar-text.ts';
import type { TextScalar } from './scalar-text.ts';
import type { Zone } from './zone.ts';

const NUMBERS: readonly ScalarType[] = ['bool', 'int32', 'int64', 'float64', 'decimal'];
const TIMES: readonly ScalarType[] = ['date', 'timestamp', 'timestamptz'];

/** Between two different scalar types, neither of them `variant`. */
export function scalarStep(from: ScalarType, to: ScalarType, zone: Zone | undefined): Step {
  if (to === 'text' || to === 'unknown') return { kind: 'exact', attempt: (cell) => scalarToText(from as TextScalar, cell) };
  if (from === 'text' || from === 'unknown') return fromText(to as TextScalar);
  if (to === 'json') return toJson(from);
  if (from === 'json') return fromJson(to);
  if (NUMBERS.includes(from) && NUMBERS.includes(to)) return numberStep(from, to);
  if (TIMES.includes(from) && TIMES.includes(to)) return timeStep(from, to, zone);
  return bytesStep(from, to);
}

function fromText(to: TextScalar): Step {
  const attempt: Attempt = (cell) =>
    textLoss(to, cell as string) ??
    (scalarFromText(to, cell as string) as Cell) ?? { loss: `the text is no ${to}`, code: 'E_RECORD_VALUE' };
  return { kind: 'checked', loss: `text that is no ${to}`, attempt };
}

/** A text that is such a value, but has more digits than the type holds. */
function textLoss(to: TextScalar, text: string): Loss | undefined {
  if (to === 'float64') {
    const number = scalarFromText(to, text);
    if (typeof number !== 'number' || !Number.isFinite(number) || isExactNumber(text)) return undefined;
    return { loss: 'the number has more digits than a float64 holds', cut: number, how: 'rounded' };
  }
  const cut = to === 'timestamptz' ? cutInstant(text) : to === 'timestamp' ? cutStamp(text) : to === 'time' ? cutTime(text) : undefined;
  return cut === undefined ? undefined : { loss: 'the time has more than microseconds', cut };
}

function cutInstant(text: string): bigint | undefined {
  const instant = parseInstant(text);
  return instant?.cut === true && isInstant(instant.value) ? instant.value : undefined;
}

function cutStamp(text: string): string | undefined {
  const stamp = parseTimestamp(text);
  return stamp?.cut === true ? timestampText(stamp.value) : undefined;
}

function cutTime(text: string): string | undefined {
  const time = parseTimeOfDay(text);
  return time?.cut === true ? timeOfDayText(time.value) : undefined;
}

/** Numbers as JSON numbers with all their digits; what JSON has no notation for as a string of its canonical text. */
function toJson(from: ScalarType): Step {
  if (from !== 'float64' && from !== 'decimal') return { kind: 'exact', attempt: (cell) => cellToJsonText(from, cell) };
  return {
    kind: 'checked',
    loss: 'JSON has no NaN and no Infinity',
    attempt: (cell) => {
      const text = cellToJsonText(from, cell);
      return text.startsWith('"') ? { loss: 'JSON has no NaN and no Infinity' } : text;
    },
  };
}

function fromJson(to: ScalarType): Step {
  const read = attempted((cell) => jsonToCell(to, parsedJson(cell as string, 'the value'), 'the value'));
  return {
    kind: 'checked',
    loss: `JSON that does not stand for ${to}`,
    attempt: (cell, note) => {
      const result = read(cell, note);
      if (result === null) note('json-null');
      return result;
    },
  };
}

const BYTE_LENGTHS: Partial<Record<ScalarType, number>> = { uuid: 16, objectId: 12 };

function bytesStep(from: ScalarType, to: ScalarType): Step {
  if (to === 'bytes' && BYTE_LENGTHS[from] !== undefined) {
    return { kind: 'exact', attempt: (cell) => new Uint8Array(Buffer.from((cell as string).replaceAll('-', ''), 'hex')) };
  }
  const length = BYTE_LENGTHS[to];
  if (from !== 'bytes' || length === undefined) return { kind: 'impossible', loss: 'there is no counterpart' };
  return {
    kind: 'checked',
    loss: `bytes that are not ${length}`,
    attempt: (cell) =>
      (cell as Uint8Array).length === length
        ? fromBytes(to, cell as Uint8Array)
        : { loss: `expected ${length} bytes`, code: 'E_RECORD_VALUE' },
  };
}

function fromBytes(to: ScalarType, bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return to === 'uuid' ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : hex;
}
