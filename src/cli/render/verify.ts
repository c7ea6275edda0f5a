import type { StreamVerifyReport, VerifyField, VerifyReport, VerifySample } from '../../verify/verify-report.ts';
import type { View } from '../outcome.ts';
import { countText, durationText, plural } from '../text/quantity.ts';
import type { Style } from '../text/style.ts';
import { tableText } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import { singleLine } from '../text/width.ts';
import { errorLines, indented, problemLines } from './problem.ts';
import { timeText } from './time.ts';

/** `verify` for people: a table of the streams, some differences, and what to do about them. */
export function verifyText(report: VerifyReport, view: View): string {
  const { style } = view;
  const lines = [headText(report, style)];
  if (report.streams.length > 0)
    lines.push(tableText({ columns: COLUMNS, rows: report.streams.map(rowOf), style, width: view.width, indent: 2 }));
  lines.push(...indented(report.streams.flatMap((stream) => streamNotes(stream, style)), 2)); // prettier-ignore
  const problems = report.problems?.filter((problem) => problem.severity === 'error' || report.streams.length > 0) ?? [];
  lines.push(...indented(problems.flatMap((problem) => problemLines(problem, style)), 2)); // prettier-ignore
  if (report.error !== undefined && !problems.some(({ message }) => message === report.error?.message))
    lines.push(...indented(errorLines(report.error, style), 2));
  return [...lines, ...nextSteps(report).map((step) => `${style.dim('next:')} ${step}`)].join('\n');
}

function headText(report: VerifyReport, style: Style): string {
  const part = report.since === undefined ? '' : `, changes since ${timeText(report.since)}`;
  const sample = report.sampleShare === undefined ? '' : `, ${Math.round(report.sampleShare * 1e6) / 1e4} % of the records`;
  return `${style.bold(singleLine(report.job))}  ${verdictText(report, style)}  ${style.dim(`in ${durationText(report.durationMs)}, run ${report.run}${part}${sample}`)}`;
}

function verdictText({ consistent, exitCode, streams }: VerifyReport, style: Style): string {
  const repaired = streams.reduce((sum, stream) => sum + stream.repaired, 0);
  if (consistent) return style.green(repaired === 0 ? 'consistent' : `consistent after ${plural(repaired, 'repair')}`);
  if (exitCode === 4) return style.red('differs');
  return style.red('not verified');
}

const number = (title: string, optional = false): Column => ({ title, align: 'right', optional });

const COLUMNS: readonly Column[] = [
  { title: 'stream', minWidth: 12 },
  number('source'),
  number('target'),
  number('missing'),
  number('extra'),
  number('different'),
  number('repaired', true),
  number('pending', true),
  number('letters', true),
  number('filtered', true),
  number('kept', true),
  { title: 'compared in', optional: true },
];

function rowOf(stream: StreamVerifyReport): string[] {
  const { compared, explained, truncated } = stream;
  const name = stream.target === stream.stream ? stream.stream : `${stream.stream} → ${stream.target}`;
  if (stream.error !== undefined && compared.source === 0 && compared.target === 0) return [name, '', '', '', '', ''];
  const rare = (count: number) => (count === 0 ? '' : countText(count));
  const found = (count: number) => (truncated === true && count > 0 ? `≥ ${countText(count)}` : countText(count));
  return [
    name,
    countText(compared.source),
    countText(compared.target),
    found(stream.missing),
    found(stream.extra),
    found(stream.different),
    rare(stream.repaired),
    rare(explained.pending),
    rare(explained.deadLettered),
    rare(explained.filtered),
    rare(explained.kept),
    stream.by === 'database' ? 'the databases' : 'trueup',
  ];
}

function streamNotes(stream: StreamVerifyReport, style: Style): string[] {
  const name = singleLine(stream.stream);
  const notes = stream.samples.map(
    (sample) => `${style.yellow(sample.kind.padEnd(9))} ${name} ${singleLine(sample.key)}${fieldsText(sample)}`,
  );
  const more = stream.missing + stream.extra + stream.different - stream.samples.length;
  if (more > 0) notes.push(style.dim(`${stream.truncated === true ? 'at least ' : ''}${countText(more)} more in ${name}`));
  if (stream.truncated === true) notes.push(`${style.yellow('!')} ${name}: too many differences to tell all of them`);
  if (stream.note !== undefined) notes.push(`${style.yellow('!')} ${name}: ${singleLine(stream.note)}`);
  if (stream.error !== undefined) notes.push(...errorLines({ ...stream.error, message: `${name}: ${stream.error.message}` }, style));
  return notes;
}

function fieldsText({ fields }: VerifySample): string {
  if (fields.length === 0) return '';
  return `  ${fields.map(fieldText).join(', ')}`;
}

function fieldText({ field, source, target }: VerifyField): string {
  if (source === undefined && target === undefined) return singleLine(field);
  const text = (value: string | null | undefined) => (value === null || value === undefined ? 'NULL' : singleLine(JSON.stringify(value)));
  return `${singleLine(field)}: ${text(source)} in the source, ${text(target)} in the target`;
}

/** The stream, or the child table: its rows stand under their own keys, in entries behind that of the stream. */
function nameOf(one: StreamVerifyReport, all: readonly StreamVerifyReport[]): string {
  return all.find(({ stream }) => stream === one.stream) === one ? one.stream : one.target;
}

/** What a person does now. */
function nextSteps({ job, streams, error, exitCode }: VerifyReport): string[] {
  const steps: string[] = [];
  const unequal = streams.filter(({ missing, extra, different, repaired }) => missing + extra + different - repaired > 0);
  const [differing] = unequal;
  const [sample] = differing?.samples ?? [];
  if (differing !== undefined && sample !== undefined)
    steps.push(`trueup why ${job} ${shellText(nameOf(differing, streams))} ${shellText(sample.key)}    says what happened to this record`);
  const repaired = streams.some((stream) => stream.repaired > 0);
  if (exitCode === 4 && error === undefined && !repaired && differing?.note === undefined)
    steps.push(
      `trueup verify ${job}${[...new Set(unequal.map(({ stream }) => ` --stream ${shellText(stream)}`))].join('')} --repair    writes the records that differ again`,
    );
  if (repaired && streams.some((stream) => stream.truncated === true)) steps.push('run the same command again: there is more to repair');
  return steps;
}

function shellText(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
