import type { JobReport, RunReport, RunStatus, StreamReport } from '../../pipeline/report/report.ts';
import type { View } from '../outcome.ts';
import { bytesText, countText, durationText, plural } from '../text/quantity.ts';
import type { Style } from '../text/style.ts';
import { tableText } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import { singleLine } from '../text/width.ts';
import { guaranteeLine } from './guarantee.ts';
import { errorLines, indented } from './problem.ts';

/** `run`, `backfill`, `copy` and `replay` for people. */
export function runText(report: RunReport, view: View): string {
  const jobs = report.jobs.map((job) => jobText(job, report, view));
  return [...jobs, ...nextSteps(report).map((step) => `${view.style.dim('next:')} ${step}`)].join('\n');
}

function jobText(job: JobReport, report: RunReport, view: View): string {
  const { style } = view;
  const epoch = job.epoch === undefined ? '' : `, epoch ${job.epoch}`;
  const head = `${style.bold(singleLine(job.job))}  ${statusText(job.status, style)}  ${style.dim(`in ${durationText(report.durationMs)}, run ${report.run}${epoch}`)}`;
  const lines = [head];
  if (job.streams.length > 0)
    lines.push(tableText({ columns: COLUMNS, rows: job.streams.map(rowOf), style, width: view.width, indent: 2 }));
  lines.push(
    ...indented(
      job.streams.flatMap((stream) => streamNotes(stream, style)),
      2,
    ),
  );
  if (job.guarantee !== undefined) lines.push(...indented([guaranteeLine(job.guarantee, style)], 2));
  if (job.error !== undefined) lines.push(...indented(errorLines(job.error, style), 2));
  return `${lines.join('\n')}\n`;
}

const number = (title: string, optional = false): Column => ({ title, align: 'right', optional });

/** The columns of the law `read = filtered + coalesced + upserted + unchanged + deleted + superseded + letters`; the rare ones only where they are not 0. */
const COLUMNS: readonly Column[] = [
  { title: 'stream', minWidth: 12 },
  { title: 'status' },
  { title: 'phase' },
  number('read'),
  number('filtered', true),
  number('coalesced', true),
  number('upserted'),
  number('unchanged'),
  number('deleted'),
  number('superseded', true),
  number('letters', true),
  number('bytes'),
];

/** What of a stream a run read, for people. */
const PHASE = { none: '', backfill: 'backfill', changes: 'changes', both: 'backfill, changes' } as const;

function rowOf(stream: StreamReport): string[] {
  const rare = (count: number) => (count === 0 ? '' : countText(count));
  const name = stream.target === stream.stream ? stream.stream : `${stream.stream} → ${stream.target}`;
  return [
    name,
    stream.status,
    PHASE[stream.phase ?? 'none'],
    countText(stream.read),
    rare(stream.filtered),
    rare(stream.coalesced),
    countText(stream.upserted),
    countText(stream.unchanged),
    countText(stream.deleted),
    rare(stream.superseded),
    rare(stream.deadLettered),
    bytesText(stream.bytes),
  ];
}

function streamNotes(stream: StreamReport, style: Style): string[] {
  const name = singleLine(stream.stream);
  const notes: string[] = [];
  if (stream.deadLettered > 0)
    notes.push(
      `${style.yellow('!')} ${name}: ${plural(stream.deadLettered, 'record')} became ${stream.deadLettered === 1 ? 'a dead letter' : 'dead letters'}`,
    );
  if (stream.lettersResolved > 0) notes.push(`${name}: ${plural(stream.lettersResolved, 'dead letter')} resolved`);
  for (const [table, { upserted, deleted }] of Object.entries(stream.children ?? {}))
    notes.push(
      deleted === undefined
        ? `${name}: ${plural(upserted, 'record')} embedded in ${singleLine(table)}`
        : `${name}: ${plural(upserted, 'row')} written to ${singleLine(table)}, ${countText(deleted)} deleted`,
    );
  for (const { field, kind, count } of stream.conversions)
    notes.push(`${name}: ${plural(count, 'value')} of ${singleLine(field)} converted: ${kind}`);
  if (stream.compared !== undefined)
    notes.push(
      `${name}: compared ${plural(stream.compared.source, 'record')} of the source with ${countText(stream.compared.target)} of the target`,
    );
  if (stream.heldBack !== undefined)
    notes.push(`${name}: changes since ${stream.heldBack.since} are held back by ${singleLine(stream.heldBack.by)}`);
  if (stream.retries > 0) notes.push(`${name}: ${plural(stream.retries, 'retry', 'retries')}`);
  if (stream.error !== undefined) notes.push(...errorLines({ ...stream.error, message: `${name}: ${stream.error.message}` }, style));
  return notes;
}

export function statusText(status: RunStatus | 'running', style: Style): string {
  switch (status) {
    case 'succeeded':
      return style.green(status);
    case 'incomplete':
    case 'stopped':
    case 'running':
      return style.yellow(status);
    case 'failed':
    case 'fenced':
      return style.red(status);
    default:
      return status satisfies never;
  }
}

/** What went wrong is not in the config, so that the same command may well succeed. */
const WORTH_REPEATING: ReadonlySet<number> = new Set([1, 7, 130, 143]);

/** Credentials and privileges do not mend themselves. */
function isRefused(job: JobReport): boolean {
  return [job, ...job.streams].some(({ error }) => error?.code === 'E_ACCESS');
}

/** What a person does now. */
function nextSteps(report: RunReport): string[] {
  const steps: string[] = [];
  for (const job of report.jobs) {
    const open = job.openLetters ?? job.streams.reduce((sum, stream) => sum + stream.deadLettered, 0);
    if (open > 0 && report.command !== 'copy')
      steps.push(
        `trueup dead-letters list ${job.job}    ${plural(open, 'record')} could not be written: shows keys and reasons; correct the rows in the source and run again`,
      );
    if (WORTH_REPEATING.has(job.exitCode) && !isRefused(job)) steps.push('run the same command again: it resumes from the last checkpoint');
  }
  return [...new Set(steps)];
}

/** One line for the log of `start`. */
export function jobLine(job: JobReport): string {
  const sum = (count: (stream: StreamReport) => number) => job.streams.reduce((total, stream) => total + count(stream), 0);
  const letters = sum((stream) => stream.deadLettered);
  const failed = job.error ?? job.streams.find((stream) => stream.error !== undefined)?.error;
  const counts = `${countText(sum((s) => s.read))} read, ${countText(sum((s) => s.upserted))} upserted, ${countText(sum((s) => s.deleted))} deleted`;
  return [
    `${job.job} ${job.status}: ${counts}`,
    ...(letters === 0 ? [] : [plural(letters, 'dead letter')]),
    ...(failed === undefined ? [] : [`[${failed.code}] ${failed.message}`]),
  ].join(', ');
}
