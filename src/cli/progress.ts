import type { RunEvent } from '../pipeline/report/events.ts';
import type { Style } from './text/style.ts';
import { bytesText, countText, durationText } from './text/quantity.ts';
import { displayWidth, padTo, singleLine, truncate } from './text/width.ts';

/** How far one stream has come. Times in ms of any one clock. */
interface StreamProgress {
  readonly job: string;
  readonly stream: string;
  phase: 'backfill' | 'changes' | 'comparing';
  rows: number;
  bytes: number;
  rowEstimate: number | undefined;
  note: string;
  ended: boolean;
  /** The last few seconds, oldest first: what the rate is taken from. */
  readonly samples: { readonly atMs: number; readonly rows: number }[];
}

/** What the progress lines are drawn from; grows with the events of a run. */
export type Progress = Map<string, StreamProgress>;

const RATE_WINDOW_MS = 5000;

export function createProgress(): Progress {
  return new Map();
}

export function applyEvent(progress: Progress, event: RunEvent, nowMs: number): void {
  switch (event.kind) {
    case 'progress': {
      const stream = streamOf(progress, event.job, event.stream, nowMs);
      if (event.rows < stream.rows) stream.samples.length = 0; // The next phase counts from the beginning.
      Object.assign(stream, {
        phase: event.phase,
        rows: event.rows,
        bytes: event.bytes,
        rowEstimate: event.rowEstimate ?? stream.rowEstimate,
        note: '',
      });
      stream.samples.push({ atMs: nowMs, rows: event.rows });
      while (stream.samples.length > 2 && nowMs - (stream.samples[0]?.atMs ?? 0) > RATE_WINDOW_MS) stream.samples.shift();
      return;
    }
    case 'comparing': {
      const stream = streamOf(progress, event.job, event.stream, nowMs);
      const rows = event.source + event.target;
      if (rows < stream.rows || event.phase !== 'reading') stream.samples.length = 0;
      // Both sides are read, so there is twice as much to read as the source has.
      const rowEstimate = event.rowEstimate === undefined ? undefined : 2 * event.rowEstimate;
      Object.assign(stream, { phase: 'comparing', rows, rowEstimate, note: comparingNote(event.phase, rows) });
      stream.samples.push({ atMs: nowMs, rows });
      while (stream.samples.length > 2 && nowMs - (stream.samples[0]?.atMs ?? 0) > RATE_WINDOW_MS) stream.samples.shift();
      return;
    }
    case 'retry':
      streamOf(progress, event.job, event.stream, nowMs).note =
        `retry ${event.attempt} in ${durationText(event.delayMs)}: ${event.message}`;
      return;
    case 'held-back':
      streamOf(progress, event.job, event.stream, nowMs).note = `held back by ${event.by}`;
      return;
    case 'stream-ended':
      streamOf(progress, event.job, event.stream, nowMs).ended = true;
      return;
    case 'job-started':
    case 'delays':
      return;
    case 'job-ended':
      for (const [key, stream] of progress) if (stream.job === event.job) progress.delete(key);
      return;
    default:
      event satisfies never;
  }
}

function comparingNote(phase: 'reading' | 'listing' | 'settling', rows: number): string {
  if (phase === 'reading') return '';
  return phase === 'listing' ? `listing what differs  ${countText(rows)} rows` : 'looking again at what differs';
}

function streamOf(progress: Progress, job: string, stream: string, nowMs: number): StreamProgress {
  const key = JSON.stringify([job, stream]);
  const known = progress.get(key);
  if (known !== undefined) return known;
  const fresh: StreamProgress = {
    job,
    stream,
    phase: 'changes',
    rows: 0,
    bytes: 0,
    rowEstimate: undefined,
    note: '',
    ended: false,
    samples: [{ atMs: nowMs, rows: 0 }],
  };
  progress.set(key, fresh);
  return fresh;
}

/** Rows a second over the last few seconds; `null` while there is too little to tell from. */
function rateOf(stream: StreamProgress, nowMs: number): number | null {
  const oldest = stream.samples[0];
  if (oldest === undefined || nowMs - oldest.atMs < 200) return null;
  return ((stream.rows - oldest.rows) * 1000) / (nowMs - oldest.atMs);
}

/** One line a stream, those at work first: name, rows, rows/s, bytes, share and time left. No line is wider than `width` columns. */
export function progressLines(
  progress: Progress,
  nowMs: number,
  { width, style }: { readonly width: number; readonly style: Style },
): string[] {
  const streams = [...progress.values()].sort((a, b) => Number(a.ended) - Number(b.ended));
  const severalJobs = new Set(streams.map((stream) => stream.job)).size > 1;
  const names = streams.map((stream) =>
    singleLine(severalJobs || stream.stream === '' ? `${stream.job} ${stream.stream}`.trimEnd() : stream.stream),
  );
  const nameWidth = Math.min(Math.max(0, ...names.map(displayWidth)), Math.max(8, Math.floor(width / 3)));
  return streams.map((stream, index) => {
    const name = padTo(truncate(names[index] ?? '', nameWidth), nameWidth, 'left');
    const facts = truncate(factsOf(stream, nowMs), Math.max(0, width - nameWidth - 2));
    return truncate(name, width) + (facts === '' ? '' : `  ${stream.ended ? style.dim(facts) : facts}`);
  });
}

const PHASES = { backfill: 'first load', changes: 'changes', comparing: 'comparing' } as const;

function factsOf(stream: StreamProgress, nowMs: number): string {
  if (stream.note !== '') return singleLine(stream.note);
  const rate = stream.ended ? null : rateOf(stream, nowMs);
  const facts = [PHASES[stream.phase], `${countText(stream.rows)} rows`];
  if (rate !== null) facts.push(`${countText(Math.round(rate))} rows/s`);
  if (stream.phase !== 'comparing') facts.push(bytesText(stream.bytes));
  if (stream.ended) facts.push('done');
  else if (stream.phase !== 'changes') facts.push(...remainderOf(stream, rate));
  return facts.join('  ');
}

/** The estimate is the planner's, so it may be too small: then nothing is said instead of something wrong. */
function remainderOf({ rows, rowEstimate }: StreamProgress, rate: number | null): string[] {
  if (rowEstimate === undefined || rowEstimate <= rows) return [];
  const share = `${Math.floor((rows * 100) / rowEstimate)} %`;
  return rate === null || rate <= 0 ? [share] : [share, `${durationText(((rowEstimate - rows) * 1000) / rate)} left`];
}
