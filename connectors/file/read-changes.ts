import { stat } from 'node:fs/promises';
import { TrueupError } from '../../src/sdk.ts';
import type { Batch } from '../../src/sdk.ts';
import { STDIN } from './catalog.ts';
import { openDecoder } from './decode.ts';
import { foldMarks } from './cursor.ts';
import type { FileMark, FilesCursor } from './cursor.ts';
import { withFaults } from './faults.ts';
import type { Frame } from './frames.ts';
import type { View } from './knowledge.ts';
import { openStandings } from './marks.ts';
import type { FileFacts, OpenedFile } from './opened-file.ts';
import { openGroup } from './record-group.ts';
import type { GroupLimits } from './record-group.ts';
import { openSeenKeys } from './seen-keys.ts';
import type { SourceContext } from './source-context.ts';
import { framesFrom, headOfFile, isComplete } from './table.ts';
import type { Table } from './table.ts';

export interface Pass {
  readonly context: SourceContext;
  readonly view: View;
  readonly limits: GroupLimits;
  readonly signal: AbortSignal;
  /** Told of a record that is waited for. */
  onUnended(file: string): void;
}

/** One way through all files of a stream, from where the cursor stands to where they end now. Returns where it ended. */
export async function* readFiles(pass: Pass, from: FilesCursor): AsyncGenerator<Batch, FilesCursor> {
  const { context, signal } = pass;
  const files = await context.catalog.files(pass.view.knowledge.stream, signal);
  const standings = openStandings(from, await inodesOf(files));
  const marks = new Map<string, FileMark>();
  let { folded } = from;
  const position = (): FilesCursor => ({ marks: [...standings.unclaimed(), ...marks.values()], folded });
  let { view } = pass;
  for (const facts of files) {
    signal.throwIfAborted();
    const file = await context.open(facts, signal);
    try {
      const before = await standings.of(file);
      const fold = foldMarks({ marks: [...marks.values()], folded });
      if (fold.folded !== folded) {
        folded = fold.folded;
        const kept = new Set(fold.marks.map(({ name }) => name));
        for (const name of marks.keys()) if (!kept.has(name)) marks.delete(name);
      }
      if (before === 'done') {
        const kept = from.marks.find((mark) => mark.inode === file.inode && mark.proved === file.size);
        if (kept !== undefined) marks.set(file.name, { ...kept, name: file.name });
        continue;
      }
      view = yield* readFile({ ...pass, view }, file, { before, set: (mark) => void marks.set(file.name, mark), position });
    } finally {
      await file.close();
    }
  }
  const [lost] = standings.lost();
  if (lost !== undefined) throw new TrueupError('E_POSITION_LOST', `File '${lost.name}' is gone, and was read to line ${lost.line} only.`);
  return { marks: [...marks.values()], folded };
}

async function inodesOf(files: readonly FileFacts[]): Promise<Set<string>> {
  const inodes = new Set<string>();
  for (const { name, path } of files)
    if (name !== STDIN) inodes.add(String((await withFaults(name, () => stat(path, { bigint: true }))).ino));
  return inodes;
}

interface Place {
  readonly before: FileMark | null;
  set(mark: FileMark): void;
  position(): FilesCursor;
}

/** The records of one file in batches. Returns the view, which may have grown. */
async function* readFile(pass: Pass, file: OpenedFile, place: Place): AsyncGenerator<Batch, View> {
  const { context, limits, signal } = pass;
  const { options } = context;
  const { table } = await headOfFile(file, options, signal);
  let view = context.refreshed(pass.view);
  checkColumns(file, table, view);
  const decoding = { file: file.name, options, columns: table.columns };
  let decoder = openDecoder({ ...decoding, view });
  const started = place.before !== null && place.before.offset >= table.offset ? place.before : null;
  let at = { offset: started?.offset ?? table.offset, line: started?.line ?? table.line, unended: 0 };
  const delivered = started?.unended ?? 0;
  const memory = { slabs: context.slabs, seen: openSeenKeys() };
  let group = openGroup(view, limits, memory);

  const marked = async (done: boolean): Promise<void> => {
    const plain = file.format.compression === 'none';
    const proved = file.size === Number.POSITIVE_INFINITY ? 0 : plain ? at.offset + at.unended : file.size;
    place.set({ name: file.name, inode: file.inode, proved, proof: await file.proof(proved), ...at, done });
  };
  const flushed = async (done: boolean): Promise<Batch> => {
    await marked(done);
    const batch = group.batch(decoder, { file: file.name, line: at.line, cursor: place.position() });
    group = openGroup(view, limits, memory);
    return batch;
  };

  const from = { start: at.offset, line: at.line, maxRecordBytes: view.ref.maxRecordBytes, signal };
  if (table.columns?.length !== 0)
    for await (const found of framesFrom(file, options, from)) {
      for (const frame of found) {
        signal.throwIfAborted();
        if (!frame.ended && !isComplete(file, options)) {
          pass.onUnended(file.name);
          continue;
        }
        if (!frame.ended && frame.end - frame.start === delivered) {
          at = placeAfter(frame);
          continue;
        }
        if (!group.takes(frame.bytes.length)) yield await flushed(false);
        let one = decoder.check(frame);
        if (one === 'news') {
          if (!group.isEmpty) yield await flushed(false);
          view = context.refreshed(view);
          decoder = openDecoder({ ...decoding, view });
          group = openGroup(view, limits, memory);
          one = decoder.check(frame);
        }
        if (one === 'news') throw new TrueupError('E_BUG', `The fields of ${file.name}:${frame.line} are news twice.`);
        if ('reject' in one) group.reject(one.reject);
        else group.add(frame.bytes, one.op, one.key);
        at = placeAfter(frame);
      }
    }
  const done = !file.torn && (file.format.compression !== 'none' || at.offset + at.unended >= file.size);
  if (!group.isEmpty) yield await flushed(done);
  else await marked(done);
  return view;
}

function placeAfter(frame: Frame): { readonly offset: number; readonly line: number; readonly unended: number } {
  if (frame.ended) return { offset: frame.end, line: frame.line + frame.lines, unended: 0 };
  return { offset: frame.start, line: frame.line, unended: frame.end - frame.start };
}

/** A file that lacks columns must not write NULL into them. */
function checkColumns(file: OpenedFile, { columns }: Table, view: View): void {
  if (columns === null || columns.length === 0) return;
  const missing = view.shape.fields.map(({ name }) => name).filter((name) => !columns.includes(name));
  if (missing.length > 0)
    throw new TrueupError(
      'E_PLAN_CHANGED',
      `File '${file.name}' has no column ${missing.map((name) => `'${name}'`).join(', ')}, which stream '${view.ref.name}' has. Its columns: ${columns.join(', ')}.`,
      {
        hint: 'Files of one stream need the same columns, in any order. Leave columns out with `drop` in the mapping, or make another stream of the file.',
      },
    );
}
