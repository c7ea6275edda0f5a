import { createTask, validateDetailed } from 'node-cron';
import { didYouMean } from '../model/suggest.ts';
import type { Finding } from './document.ts';
import type { JobConfig } from './job-schema.ts';
import { quoted } from './issue-text.ts';
import type { Path } from './plain-data.ts';

/** What is wrong with the `schedule` of a job. */
export function checkSchedule(schedule: JobConfig['schedule'], path: Path): readonly Finding[] {
  if (schedule === undefined || schedule === 'continuous') return [];
  if (typeof schedule === 'string') return checkCron(schedule, path);
  const zone = schedule.timezone === undefined ? [] : checkTimezone(schedule.timezone, [...path, 'timezone']);
  return [...checkCron(schedule.cron, [...path, 'cron']), ...zone];
}

export function checkCron(cron: string, path: Path): readonly Finding[] {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5 && fields.length !== 6) {
    return [
      {
        path,
        part: 'value',
        message: `${quoted(cron)} is no schedule: expected five or six cron fields such as '*/5 * * * *', or 'continuous'; found ${fields.length}`,
      },
    ];
  }
  // node-cron writes every range out before it looks at the bounds: 0-999999999 would take gigabytes.
  if (cron.length > 256 || /\d{3}/.test(cron))
    return [{ path, part: 'value', message: `${quoted(cron)} is no schedule: no cron field takes numbers above 59` }];
  const { valid, errors } = validateDetailed(cron);
  if (!valid) {
    return errors.map(({ field, value }) => ({
      path,
      part: 'value',
      message: `${quoted(cron)} is no schedule: ${quoted(value ?? cron)} is not valid as ${fieldName(field)}`,
    }));
  }
  if (!everMatches(fields.slice(-3).join(' ')))
    return [{ path, part: 'value', message: `${quoted(cron)} is no schedule: no day ever matches it` }];
  const [dayOfMonth, , dayOfWeek] = fields.slice(-3);
  const open = (field: string | undefined): boolean => field === '*' || field === '?';
  if (open(dayOfMonth) || open(dayOfWeek)) return [];
  // Vixie cron takes either, so a line copied from a crontab would silently run far less often.
  return [
    {
      path,
      part: 'value',
      severity: 'warning',
      message: `the schedule restricts day of month (${dayOfMonth}) and day of week (${dayOfWeek}): it runs only on days where both match, unlike a crontab`,
    },
  ];
}

/** Within the 41 years after which a calendar with leap days has shown every weekday on every date. */
function everMatches(days: string): boolean {
  const task = createTask(`0 0 0 ${days}`, () => {}, { timezone: 'UTC' });
  void task.destroy(); // It registers itself for good; only its matching is wanted.
  const first = Date.UTC(2026, 0, 1);
  for (let day = 0; day < 41 * 366; day++) if (task.match(new Date(first + day * 86_400_000))) return true;
  return false;
}

function fieldName(field: string): string {
  return field === 'expression' ? 'cron fields' : field.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

export function checkTimezone(timezone: string, path: Path): readonly Finding[] {
  // Known without the data of all zones, which takes long to load.
  if (timezone === 'UTC') return [];
  try {
    Intl.DateTimeFormat('en', { timeZone: timezone });
    return [];
  } catch {
    const near = didYouMean(timezone, Intl.supportedValuesOf('timeZone'));
    return [
      {
        path,
        part: 'value',
        message: `unknown time zone ${quoted(timezone)}: expected an IANA name such as UTC or Europe/Berlin.${near === null ? '' : ` Did you mean '${near}'?`}`,
      },
    ];
  }
}
