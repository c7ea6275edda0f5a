import { describe, expect, it } from 'vitest';
import { applyEvent, createProgress, progressLines } from '../../src/cli/progress.ts';
import { openScreen } from '../../src/cli/screen.ts';
import { PLAIN } from '../../src/cli/text/style.ts';
import { displayWidth } from '../../src/cli/text/width.ts';
import { jobReport } from './reports.ts';

const WIDE = { width: 120, style: PLAIN };
const rows = (count: number, stream = 'public.orders') =>
  ({ kind: 'progress', job: 'j', stream, phase: 'backfill', rows: count, bytes: count * 100, rowEstimate: 200_000 }) as const;

describe('cli: progress lines', () => {
  it('show rows, rows a second, bytes, share and time left', () => {
    const progress = createProgress();
    applyEvent(progress, rows(0), 0);
    applyEvent(progress, rows(50_000), 1000);
    expect(progressLines(progress, 1000, WIDE)).toEqual([
      'public.orders  first load  50,000 rows  50,000 rows/s  4.8 MiB  25 %  3.0 s left',
    ]);
  });

  it('take the rate from the last seconds, so that a stall shows', () => {
    const progress = createProgress();
    for (let second = 0; second <= 10; second++) applyEvent(progress, rows(Math.min(second, 2) * 10_000), second * 1000);
    expect(progressLines(progress, 10_000, WIDE)[0]).toContain(' 0 rows/s');
  });

  it('say nothing of the time left when the estimate was too small', () => {
    const progress = createProgress();
    applyEvent(progress, rows(0), 0);
    applyEvent(progress, rows(250_000), 1000);
    expect(progressLines(progress, 1000, WIDE)[0]).not.toContain('left');
  });

  it('begin anew with the next phase', () => {
    const progress = createProgress();
    applyEvent(progress, rows(200_000), 0);
    applyEvent(progress, { ...rows(100), phase: 'changes' }, 1000);
    applyEvent(progress, { ...rows(200), phase: 'changes' }, 2000);
    expect(progressLines(progress, 2000, WIDE)[0]).toMatch(/changes {2}200 rows {2}100 rows\/s/);
  });

  it('tell how far a comparison has come on both sides, and what it does next', () => {
    const progress = createProgress();
    const comparing = { kind: 'comparing', job: 'j', stream: 's', phase: 'reading', rowEstimate: 100_000 } as const;
    applyEvent(progress, { ...comparing, source: 0, target: 0 }, 0);
    applyEvent(progress, { ...comparing, source: 30_000, target: 20_000 }, 1000);
    expect(progressLines(progress, 1000, WIDE)).toEqual(['s  comparing  50,000 rows  50,000 rows/s  25 %  3.0 s left']);
    applyEvent(progress, { kind: 'comparing', job: 'j', stream: 's', phase: 'listing', source: 1000, target: 0 }, 2000);
    expect(progressLines(progress, 2000, WIDE)).toEqual(['s  listing what differs  1,000 rows']);
    applyEvent(progress, { kind: 'comparing', job: 'j', stream: 's', phase: 'settling', source: 5, target: 0 }, 3000);
    expect(progressLines(progress, 3000, WIDE)).toEqual(['s  looking again at what differs']);
  });

  it('tell a retry and what holds changes back', () => {
    const progress = createProgress();
    applyEvent(
      progress,
      { kind: 'retry', job: 'j', stream: 's', attempt: 2, delayMs: 1500, code: 'E_CONNECTION_LOST', message: 'gone' },
      0,
    );
    expect(progressLines(progress, 0, WIDE)).toEqual(['s  retry 2 in 1.5 s: gone']);
    applyEvent(progress, { kind: 'held-back', job: 'j', stream: 's', since: '2026-01-01T00:00:00Z', by: 'pid 7' }, 0);
    expect(progressLines(progress, 0, WIDE)).toEqual(['s  held back by pid 7']);
  });

  it('put ended streams last and go with their job', () => {
    const progress = createProgress();
    applyEvent(progress, rows(1, 'a'), 0);
    applyEvent(progress, rows(1, 'b'), 0);
    applyEvent(progress, { kind: 'stream-ended', job: 'j', stream: 'a', status: 'succeeded' }, 0);
    expect(progressLines(progress, 1000, WIDE).map((line) => line[0])).toEqual(['b', 'a']);
    applyEvent(progress, { kind: 'job-ended', job: 'j', status: 'succeeded', exitCode: 0, report: jobReport() }, 0);
    expect(progressLines(progress, 1000, WIDE)).toEqual([]);
  });

  it.each([1, 5, 10, 20, 40, 80])('never take more than %d columns', (width) => {
    const progress = createProgress();
    applyEvent(progress, rows(0, '注文.とても長い名前のテーブル'), 0);
    applyEvent(progress, rows(123_456, '注文.とても長い名前のテーブル'), 1000);
    for (const line of progressLines(progress, 1000, { width, style: PLAIN })) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  });
});

describe('cli: the screen', () => {
  const terminal = (columns = 40, lines = 10) => {
    const written: string[] = [];
    return { stream: { isTTY: true, columns, rows: lines, write: (text: string) => written.push(text) }, written };
  };
  const same = (text: string) => text;

  it('writes log lines above the panel and draws it again below', () => {
    const { stream, written } = terminal();
    const screen = openScreen(stream, same);
    screen.panel(['one', 'two']);
    screen.line('log');
    expect(written.join('')).toBe('one\ntwo\n\u001b[2A\r\u001b[Jlog\none\ntwo\n');
  });

  it('erases all rows that a line takes after the terminal became narrower', () => {
    const { stream, written } = terminal(40);
    const screen = openScreen(stream, same);
    screen.panel(['x'.repeat(40)]);
    stream.columns = 15;
    screen.panel([]);
    expect(written.at(-1)).toBe('\u001b[3A\r\u001b[J');
  });

  it('never draws more lines than the terminal has rows', () => {
    const { stream, written } = terminal(40, 5);
    openScreen(stream, same).panel(Array.from({ length: 9 }, (_, index) => `line ${index}`));
    expect(written.at(-1)).toBe('line 0\nline 1\nline 2\n… and 6 more\n');
  });

  it('draws no panel anywhere but on a terminal, and hides secrets everywhere', () => {
    const written: string[] = [];
    const screen = openScreen({ write: (text) => written.push(text) }, (text) => text.replaceAll('hunter2', '[redacted]'));
    screen.panel(['one']);
    screen.line('password hunter2');
    expect(written).toEqual(['password [redacted]\n']);
  });
});
