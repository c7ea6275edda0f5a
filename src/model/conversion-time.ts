import { INSTANT_INFINITY } from './cell.ts';
import type { Cell } from './cell.ts';
import { MICROS_PER_DAY, dateText, parseDate, parseTimestamp, splitMicros, timestampText } from './civil-time.ts';
import type { Attempt, Loss, Note, Step } from './conversion-loss.ts';
import type { ScalarType } from './logical-type.ts';
import { isInstant } from './scalar-text.ts';
import type { Zone } from './zone.ts';

/** Between date, timestamp and timestamptz. A civil value and an instant meet only in a zone. */
export function timeStep(from: ScalarType, to: ScalarType, zone: Zone | undefined): Step {
  if ((from === 'timestamptz' || to === 'timestamptz') && zone === undefined)
    return { kind: 'impossible', loss: 'a civil time and an instant meet only in a time zone: name one with `zone:`' };
  if (to === 'timestamptz') {
    return {
      kind: 'checked',
      loss: 'times that clocks of the zone skipped or showed twice (counted)',
      attempt: (cell, note) => toInstant(cell as string, zone as Zone, note),
    };
  }
  if (from === 'timestamptz') return fromInstant(to, zone as Zone);
  return to === 'date' ? { kind: 'lossy', loss: 'the time of day', attempt: stampToDate } : { kind: 'exact', attempt: dateToStamp };
}

const notCivil: Loss = { loss: 'the text is no date or civil time', code: 'E_RECORD_VALUE' };
const beyondZone: Loss = { loss: 'the year is beyond those that time zones are known for' };

function isInfinity(text: string): boolean {
  return text === 'infinity' || text === '-infinity';
}

function dateToStamp(cell: Cell): Cell | Loss {
  const text = cell as string;
  if (isInfinity(text)) return text;
  const days = parseDate(text);
  return days === null ? notCivil : timestampText(BigInt(days) * BigInt(MICROS_PER_DAY));
}

function stampToDate(cell: Cell): Cell | Loss {
  const text = cell as string;
  if (isInfinity(text)) return text;
  const stamp = parseTimestamp(text);
  return stamp === null ? notCivil : dateOf(stamp.value);
}

function dateOf(civilMicros: bigint): Cell | Loss {
  const { days, timeMicros } = splitMicros(civilMicros);
  return timeMicros === 0 ? dateText(days) : { loss: 'the time of day has no place in a date', cut: dateText(days) };
}

function toInstant(text: string, zone: Zone, note: Note): Cell | Loss {
  if (isInfinity(text)) return text === 'infinity' ? INSTANT_INFINITY : -INSTANT_INFINITY;
  const stamp = parseTimestamp(text);
  if (stamp === null || stamp.cut) return notCivil;
  const instant = zone.toInstant(stamp.value);
  if (instant === null || !isInstant(instant.micros)) return beyondZone;
  if (instant.reading !== 'plain') note(instant.reading);
  return instant.micros;
}

function fromInstant(to: ScalarType, zone: Zone): Step {
  const civil = (cell: Cell): bigint | string | null => {
    if (cell === INSTANT_INFINITY) return 'infinity';
    return cell === -INSTANT_INFINITY ? '-infinity' : zone.toCivil(cell as bigint);
  };
  const toStamp: Attempt = (cell, note) => {
    const micros = civil(cell);
    if (micros === null) return beyondZone;
    if (typeof micros === 'string') return micros;
    if (zone.toInstant(micros)?.micros !== cell) note('overlap');
    return timestampText(micros);
  };
  const toDate: Attempt = (cell) => {
    const micros = civil(cell);
    if (micros === null) return beyondZone;
    return typeof micros === 'string' ? micros : dateOf(micros);
  };
  return to === 'date'
    ? { kind: 'lossy', loss: 'the time of day', attempt: toDate }
    : { kind: 'checked', loss: 'which of two equal civil times it was, when clocks were set back (counted)', attempt: toStamp };
}
