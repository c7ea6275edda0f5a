import type { JobPlanReport, PlanReport, StreamPlanReport } from '../../pipeline/plan/plan-report.ts';
import type { View } from '../outcome.ts';
import { countText, plural } from '../text/quantity.ts';
import type { Style } from '../text/style.ts';
import { tableText } from '../text/table.ts';
import { singleLine } from '../text/width.ts';
import { assumptionLines, guaranteeLine } from './guarantee.ts';
import { indented, problemLines, statementLines } from './problem.ts';

export function planText(report: PlanReport, view: View): string {
  return [...report.jobs.map((job) => jobText(job, view)), verdict(report, view.style)].join('\n\n');
}

function jobText(job: JobPlanReport, view: View): string {
  const { style } = view;
  const head = `${style.bold(singleLine(job.job))}  ${style.dim(`checkpoints ${job.checkpoints}`)}`;
  const problems = indented(
    job.problems.flatMap((problem) => problemLines(problem, style)),
    2,
  );
  return [head, ...problems, ...job.streams.map((stream) => indented([streamText(stream, view)], 2).join('\n'))].join('\n');
}

function streamText(stream: StreamPlanReport, view: View): string {
  const { style } = view;
  const rows = stream.rowEstimate === undefined ? [] : [`about ${plural(stream.rowEstimate, 'row')}`];
  const facts = [
    `changes by ${stream.changes}`,
    `key ${stream.key.join(', ')}`,
    ...rows,
    ...(stream.form === 'cells' ? [] : [`as ${stream.form}`]),
  ].join(' · ');
  const body = [
    singleLine(facts),
    ...fieldLines(stream, view),
    ...(stream.children ?? []).flatMap((child) => [
      singleLine(`rows in ${child.target} · key ${child.key.join(', ')}`),
      ...indented(fieldLines(child, view), 2),
    ]),
    ...(stream.embeds ?? []).map(({ name, stream: of, changes }) => singleLine(`embeds ${name}: records of ${of}, changes by ${changes}`)),
    ...(stream.statements.length === 0 ? [] : [style.dim('statements'), ...statementLines(stream.statements)]),
    guaranteeLine(stream.guarantee, style),
    ...assumptionLines(stream.guarantee, style),
    ...stream.problems.flatMap((problem) => problemLines(problem, style)),
    ...sampleLines(stream, view),
  ];
  return [style.bold(singleLine(`${stream.stream} → ${stream.target}`)), ...indented(body, 2)].join('\n');
}

/** Fields that keep their name and lose nothing are only counted, unless there is something to say about another. */
function fieldLines(stream: Pick<StreamPlanReport, 'fields'>, view: View): string[] {
  const notable = stream.fields.some((field) => field.from !== field.to || field.loss !== undefined);
  if (!notable)
    return [
      singleLine(
        `${countText(stream.fields.length)} fields, each under its own name and exact: ${stream.fields.map((field) => field.to).join(', ')}`,
      ),
    ];
  const table = tableText({
    columns: [
      { title: 'from', minWidth: 8 },
      { title: 'to', minWidth: 8 },
      { title: 'type' },
      { title: 'target type', minWidth: 8 },
      { title: 'loss', optional: true, minWidth: 10 },
    ],
    rows: stream.fields.map((field) => [field.from, field.to, field.type, field.targetType, field.loss ?? '']),
    style: view.style,
    width: view.width === null ? null : view.width - 4,
  });
  return table.split('\n');
}

function sampleLines(stream: StreamPlanReport, view: View): string[] {
  if (stream.sample === undefined) return [];
  return [view.style.dim(`sample (${stream.sample.length})`), ...stream.sample.map((record) => `  ${singleLine(JSON.stringify(record))}`)];
}

function verdict(report: PlanReport, style: Style): string {
  const streams = report.jobs.flatMap((job) => job.streams);
  const problems = [...report.jobs.flatMap((job) => job.problems), ...streams.flatMap((stream) => stream.problems)];
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  if (errors > 0) return style.red(`${plural(errors, 'error')}: correct them before a run`);
  const statements = streams.reduce((sum, stream) => sum + stream.statements.length, 0);
  if (report.applied) return `${style.green('applied')}; ${style.dim('next:')} trueup run`;
  if (statements === 0) return `nothing to create; ${style.dim('next:')} trueup run`;
  return `nothing was changed. ${style.dim('next:')} trueup plan --apply runs the statements; trueup run does so as well`;
}
