import { describe, expect, it } from 'vitest';
import { planText } from '../../src/cli/render/plan.ts';
import { jobLine, runText } from '../../src/cli/render/run.ts';
import { styleFor, PLAIN } from '../../src/cli/text/style.ts';
import { displayWidth } from '../../src/cli/text/width.ts';
import { jobReport, runReport, streamReport, STRONG } from './reports.ts';

const PAPER = { style: PLAIN, width: null };

describe('cli: the text of a run', () => {
  it('shows the counts that add up, and the guarantee', () => {
    expect(runText(runReport(), PAPER)).toBe(
      [
        'shop-to-archive  succeeded  in 0.8 s, run 01JDEMO, epoch 7',
        '  stream         status     phase        read  upserted  unchanged  deleted     bytes',
        '  public.orders  succeeded  backfill  200,000   200,000          0        0  11.8 MiB',
        '  guarantee  exactly-once-effect, late commits delivered, deletes never, stale writes refused, values exact',
        '',
      ].join('\n'),
    );
  });

  it('shows a rare count as soon as it is not 0, and what to do about letters', () => {
    const stream = streamReport({ read: 10, filtered: 2, coalesced: 1, upserted: 3, superseded: 1, deadLettered: 3, lettersResolved: 1 });
    const text = runText(runReport([jobReport({ status: 'incomplete', exitCode: 3, streams: [stream] })]), PAPER);
    expect(text).toMatch(/read +filtered +coalesced +upserted +unchanged +deleted +superseded +letters/);
    expect(text).toContain('! public.orders: 3 records became dead letters');
    expect(text).toContain('public.orders: 1 dead letter resolved');
    expect(text).toContain('next: trueup dead-letters list shop-to-archive');
    expect(text).toContain('3 records could not be written');
  });

  it('tells of dead letters that earlier runs left, in one line', () => {
    const text = runText(runReport([jobReport({ openLetters: 2 })]), PAPER);
    expect(text.split('\n').filter((line) => line.includes('dead-letters'))).toEqual([
      expect.stringMatching(/^next: trueup dead-letters list shop-to-archive {4}2 records could not be written/),
    ]);
    expect(runText(runReport([jobReport({ openLetters: 0 })]), PAPER)).not.toContain('dead-letters');
  });

  it('shows an error with its code, what to do and statements to run', () => {
    const error = {
      code: 'E_DDL_MANUAL',
      message: 'the target lacks orders',
      hint: 'Run the statements.',
      statements: ['create table orders (\n  id int\n)'],
    } as const;
    const text = runText(runReport([jobReport({ status: 'failed', exitCode: 5, streams: [], error })]), PAPER);
    expect(text).toContain(
      '  error [E_DDL_MANUAL] the target lacks orders\n    what to do: Run the statements.\n      create table orders (\n        id int\n      );',
    );
  });

  it('says that a stopped run resumes', () => {
    expect(runText(runReport([jobReport({ status: 'stopped', exitCode: 143 })]), PAPER)).toContain(
      'next: run the same command again: it resumes from the last checkpoint',
    );
  });

  it('names a target only where it differs', () => {
    expect(runText(runReport([jobReport({ streams: [streamReport({ target: 'archive.orders' })] })]), PAPER)).toContain(
      'public.orders → archive.orders',
    );
  });

  it.each([60, 80, 120])('keeps its tables within %d columns', (width) => {
    const lines = runText(runReport(), { style: PLAIN, width }).split('\n');
    const table = lines.filter((line) => /^ {2}(stream|public|read|upserted)/.test(line));
    expect(table.length).toBeGreaterThan(1);
    for (const line of table) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  });

  it('puts nothing from outside on the terminal that could steer it', () => {
    const stream = streamReport({ stream: 'x\u001b[2J', status: 'failed', error: { code: 'E_ACCESS', message: 'no\u001b]0;title\u0007' } });
    expect(runText(runReport([jobReport({ streams: [stream] })]), { style: styleFor(true, {}), width: 100 })).not.toMatch(
      /\u001b\[2J|\u001b\]/,
    );
  });

  it('is one line in the log of the scheduler', () => {
    expect(jobLine(jobReport())).toBe('shop-to-archive succeeded: 200,000 read, 200,000 upserted, 0 deleted');
    const failed = jobReport({ status: 'failed', error: { code: 'E_ACCESS', message: 'refused' } });
    expect(jobLine(failed)).toContain('[E_ACCESS] refused');
  });
});

describe('cli: the text of a plan', () => {
  const stream = {
    stream: 'public.orders',
    target: 'orders',
    changes: 'cursor updated_at',
    key: ['id'],
    form: 'cells',
    fields: [
      { from: 'id', to: 'id', type: 'int64', targetType: 'bigint' },
      { from: 'total_cents', to: 'total', type: 'decimal', targetType: 'numeric(12,2)', loss: 'scale: error' },
    ],
    statements: ['create table orders (id bigint primary key)'],
    problems: [{ severity: 'warning', code: 'E_STREAM_KEY', message: 'no index', file: 'trueup.yaml', line: 4, column: 9 }],
    guarantee: STRONG,
    rowEstimate: 1200,
    sample: [{ id: '1' }],
  } as const;

  it('shows fields, losses, statements, problems with their place, and the guarantee', () => {
    const text = planText(
      { command: 'plan', exitCode: 0, applied: false, jobs: [{ job: 'j', checkpoints: 'atomic', streams: [stream], problems: [] }] },
      PAPER,
    );
    expect(text).toContain('changes by cursor updated_at · key id · about 1,200 rows');
    expect(text).toMatch(/total_cents +total +decimal +numeric\(12,2\) +scale: error/);
    expect(text).toContain('create table orders (id bigint primary key);');
    expect(text).toContain('assumes    every write to public.orders sets updated_at');
    expect(text).toContain('warning trueup.yaml:4:9 [E_STREAM_KEY] no index');
    expect(text).toContain('sample (1)\n      {"id":"1"}');
    expect(text).toContain('nothing was changed. next: trueup plan --apply');
  });

  it('ends with the number of errors when there are any', () => {
    const problems = [{ severity: 'error', code: 'E_STREAM_UNKNOWN', message: 'no such table' } as const];
    expect(
      planText({ command: 'plan', exitCode: 2, applied: false, jobs: [{ job: 'j', checkpoints: 'atomic', streams: [], problems }] }, PAPER),
    ).toContain('1 error: correct them before a run');
  });
});
