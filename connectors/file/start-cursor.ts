import type { Cursor, StreamRef } from '../../src/sdk.ts';
import { STDIN } from './catalog.ts';
import { writeCursor } from './cursor.ts';
import type { FileMark } from './cursor.ts';
import type { OpenedFile } from './opened-file.ts';
import type { SourceContext } from './source-context.ts';
import { framesFrom, headOfFile, isComplete } from './table.ts';

/** The end of every file as it is now. Read to it: where the last record ends and which line that is, only the records tell. `null`: stdin has no end yet. */
export async function cursorAtEnd(context: SourceContext, ref: StreamRef, signal: AbortSignal): Promise<Cursor | null> {
  if (context.catalog.path === STDIN) return null;
  const stream = await context.stream(ref.name, ref.query, signal);
  const marks: FileMark[] = [];
  for (const facts of await context.catalog.files(stream, signal)) {
    const file = await context.open(facts, signal);
    try {
      marks.push(await endOf(context, file, ref, signal));
    } finally {
      await file.close();
    }
  }
  return writeCursor({ marks, folded: new Set() });
}

async function endOf({ options }: SourceContext, file: OpenedFile, { maxRecordBytes }: StreamRef, signal: AbortSignal): Promise<FileMark> {
  const { table } = await headOfFile(file, options, signal);
  let at = { offset: table.offset, line: table.line, unended: 0 };
  if (table.columns?.length !== 0)
    for await (const found of framesFrom(file, options, { start: table.offset, line: table.line, maxRecordBytes, signal })) {
      for (const frame of found) {
        const unended = frame.ended || !isComplete(file, options) ? 0 : frame.end - frame.start;
        at = frame.ended
          ? { offset: frame.end, line: frame.line + frame.lines, unended }
          : { offset: frame.start, line: frame.line, unended };
      }
    }
  const proved = file.format.compression === 'none' ? at.offset + at.unended : file.size;
  const done = !file.torn && (file.format.compression !== 'none' || proved === file.size);
  return { name: file.name, inode: file.inode, proved, proof: await file.proof(proved), ...at, done };
}
