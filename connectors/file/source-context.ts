import type { StreamRef } from '../../src/sdk.ts';
import { STDIN, openCatalog } from './catalog.ts';
import type { Catalog, FileStream } from './catalog.ts';
import { addDeclared, learn, newKnowledge, openViews } from './knowledge.ts';
import type { Knowledge, View } from './knowledge.ts';
import { openFile } from './opened-file.ts';
import type { FileFacts, OpenedFile } from './opened-file.ts';
import { checkOptions } from './options.ts';
import type { FileOptions } from './options.ts';
import { RecordProblem, learnRecord, parseRecord } from './parsed-record.ts';
import { openSlabs } from './slabs.ts';
import type { Slabs } from './slabs.ts';
import { stdinFile } from './stdin-file.ts';
import { headOfFile } from './table.ts';

/** What an open source has: its files, and what it knows of their fields. */
export interface SourceContext {
  readonly options: FileOptions;
  readonly catalog: Catalog;
  readonly slabs: Slabs;
  open(facts: FileFacts, signal: AbortSignal): Promise<OpenedFile>;
  stream(name: string, query: string | undefined, signal: AbortSignal): Promise<FileStream>;
  /** Looks at samples on the first call. */
  knowledge(stream: FileStream, signal: AbortSignal): Promise<Knowledge>;
  view(ref: StreamRef, signal: AbortSignal): Promise<View>;
  /** As what is known now. */
  refreshed(view: View): View;
  close(): Promise<void>;
}

export function openSourceContext(given: FileOptions, baseDir: string): SourceContext {
  const options = checkOptions(given);
  const catalog = openCatalog(options, baseDir);
  const known = new Map<string, Knowledge>();
  const viewOf = openViews();
  let stdin: OpenedFile | null = null;

  const context: SourceContext = {
    options,
    catalog,
    slabs: openSlabs(),
    open: async (facts, signal) => {
      if (facts.name !== STDIN) return openFile(facts, signal);
      stdin ??= stdinFile(facts.format);
      return { ...stdin, close: async () => {} };
    },
    stream: (name, query, signal) => catalog.stream(name, query, signal),
    async knowledge(stream, signal) {
      const id = JSON.stringify([stream.name, stream.files]);
      const knowledge = known.get(id) ?? newKnowledge(stream);
      known.set(id, knowledge);
      if (!knowledge.sampled) await sample(context, knowledge, signal);
      return knowledge;
    },
    async view(ref, signal) {
      return viewOf(await context.knowledge(await catalog.stream(ref.name, ref.query, signal), signal), ref);
    },
    refreshed: (view) => viewOf(view.knowledge, view.ref),
    close: async () => stdin?.close(),
  };
  return context;
}

/** Looks at the first records of the first and the last file. Without any, the next call looks again. */
async function sample(context: SourceContext, knowledge: Knowledge, signal: AbortSignal): Promise<void> {
  const files = await context.catalog.files(knowledge.stream, signal);
  const [first, last] = [files[0], files.at(-1)];
  for (const facts of new Set([first, last])) {
    if (facts === undefined) continue;
    knowledge.text = facts.format.text;
    const file = await context.open(facts, signal);
    try {
      await sampleFile(context, knowledge, file, signal);
    } finally {
      await file.close();
    }
  }
  addDeclared(knowledge);
}

async function sampleFile({ options }: SourceContext, knowledge: Knowledge, file: OpenedFile, signal: AbortSignal): Promise<void> {
  const { table, records } = await headOfFile(file, options, signal);
  for (const name of table.columns ?? []) learn(knowledge, name, null);
  for (const frame of records.slice(0, options.sample)) {
    try {
      learnRecord(knowledge, parseRecord(frame, table.columns, options), table.columns, () => true);
    } catch (error) {
      // A record that cannot be read tells nothing.
      if (!(error instanceof RecordProblem)) throw error;
    }
  }
  if (records.length > 0) knowledge.sampled = true;
}
