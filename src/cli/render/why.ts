import type { WhyField, WhyReport, WhyVerdict } from '../../verify/why-report.ts';
import type { View } from '../outcome.ts';
import { plural } from '../text/quantity.ts';
import type { Style } from '../text/style.ts';
import { tableText } from '../text/table.ts';
import { singleLine } from '../text/width.ts';
import { timeText } from './time.ts';

/** One record for people: what it is and why, the facts, field by field, and what to do. */
export function whyText(report: WhyReport, view: View): string {
  const { style } = view;
  const way = report.target === report.stream ? report.stream : `${report.stream} → ${report.target}`;
  const head = `${style.bold(singleLine(`${way} ${report.key}`))}  ${verdictText(report, style)}`;
  const parts = [
    [head, `  ${singleLine(report.because)}`].join('\n'),
    facts(report)
      .map(([name, value]) => `  ${style.dim(name.padEnd(10))}  ${singleLine(value)}`)
      .join('\n'),
    fieldTable(report, view),
    `${style.dim('next:')} ${singleLine(report.next)}`,
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

const VERDICT: Readonly<Record<WhyVerdict, string>> = {
  equal: 'equal',
  different: 'different',
  missing: 'missing in the target',
  filtered: 'left out',
  'dead-letter': 'dead letter',
  pending: 'pending',
  'held-back': 'held back',
  deleted: 'deleted in the source',
  extra: 'only in the target',
  'not-in-source': 'in neither',
};

function verdictText({ verdict, exitCode }: WhyReport, style: Style): string {
  const paint = verdict === 'equal' ? style.green : exitCode === 0 ? style.yellow : style.red;
  return paint(VERDICT[verdict]);
}

function facts(report: WhyReport): [string, string][] {
  const { written, checkpoint, letter, heldBack, records, source, actual, fault } = report;
  const inSource =
    records !== undefined ? plural(records, 'record') : source !== undefined || fault !== undefined ? 'found' : 'no such record';
  const lines: [string, string][] = [
    ['source', inSource],
    ['target', actual === undefined ? 'no such record' : 'found'],
  ];
  if (written !== undefined) {
    const position = written.position === undefined ? '' : `, up to ${written.position}`;
    lines.push(['written', `${timeText(written.at)} by run ${written.run}, epoch ${written.epoch}${position}`]);
  }
  if (checkpoint !== undefined) {
    const saved = checkpoint.savedAt === undefined ? '' : `, saved ${timeText(checkpoint.savedAt)}`;
    lines.push(['checkpoint', `${checkpoint.state}, at ${checkpoint.position}${saved}`]);
  }
  if (letter !== undefined)
    lines.push(['letter', `${letter.code}, failed ${plural(letter.attempts, 'time')}, last ${timeText(letter.at)} in run ${letter.run}`]);
  if (heldBack !== undefined) lines.push(['open', `a transaction since ${timeText(heldBack.since)}: ${heldBack.by}`]);
  return lines;
}

/** What differs is marked. Where nothing can be compared, the record is shown as the source has it. */
function fieldTable(report: WhyReport, { style, width }: View): string {
  const { fields, source } = report;
  if (fields.length === 0 && source === undefined) return '';
  const shown = { style, width, indent: 2 };
  const name = { title: 'field', minWidth: 10 };
  if (fields.every((field) => field.expected === undefined) && source !== undefined) {
    const rows = Object.entries(source).map(([field, value]) => [field, valueText(value)]);
    return tableText({ ...shown, columns: [name, { title: 'in the source', minWidth: 16 }], rows });
  }
  const compared = fields.some((field) => field.expected !== undefined) && fields.some((field) => field.actual !== undefined);
  const columns = [
    { title: '', optional: true },
    name,
    { title: 'source, mapped', optional: true, minWidth: 16 },
    { title: 'target', optional: true, minWidth: 16 },
  ];
  return tableText({
    ...shown,
    columns,
    rows: fields.map((field) => [compared && !field.equal ? '≠' : '', field.field, ...valuesOf(field)]),
  });
}

function valuesOf({ expected, actual, equal }: WhyField): [string, string] {
  const from = equal ? 0 : firstDifference(expected ?? '', actual ?? '');
  const text = (value: string | null | undefined) => (value === undefined ? '' : valueText(value, from));
  return [text(expected), text(actual)];
}

/** Characters of a value that are shown, and how many of them stand before what differs. */
const SHOWN = 160;
const BEFORE = 12;

/** NULL, and texts that would look like it or like nothing, can be told apart. `from`: what stands before is only hinted at, where it is long. */
function valueText(value: string | null, from = 0): string {
  if (value === null) return 'NULL';
  const start = from > SHOWN / 4 ? from - BEFORE : 0;
  const part = value.slice(start, start + SHOWN);
  const needsQuotes = part === '' || part === 'NULL' || part.trim() !== part || /[\n\r\t]/.test(part);
  const more = start + SHOWN < value.length ? `… (${value.length} characters)` : '';
  return `${start > 0 ? '…' : ''}${needsQuotes ? JSON.stringify(part) : part}${more}`;
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}
