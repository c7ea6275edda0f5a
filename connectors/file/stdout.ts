import { once } from 'node:events';
import { stdout } from 'node:process';
import type { Writable } from 'node:stream';
import { typeText } from '../../src/sdk.ts';
import type { Commit, CommitResult, Lane, MappedBatch, RecordFault, Target, TargetStream } from '../../src/sdk.ts';
import { withFaults } from './faults.ts';
import { addTally, batchLines } from './batch-lines.ts';
import type { Tally } from './batch-lines.ts';
import { checkFields, packed } from './lane.ts';
import type { FileOptions } from './options.ts';
import { newColumns, streamProblems } from './target-plan.ts';
import { csvLine, openWriter } from './write-record.ts';

/** Standard output. It takes nothing back and remembers nothing: checkpoints are kept in the state, after the lines were written. */
export function openStdoutTarget(options: FileOptions, output: Writable = stdout): Target {
  const format = { text: options.format ?? 'jsonl', compression: options.compression ?? 'none' } as const;
  let headed = false;
  const failures: Error[] = [];
  output.on('error', (error) => failures.push(error));
  const refuseFailed = (): void => {
    for (const failure of failures) throw failure;
  };

  const write = (text: string, signal: AbortSignal): Promise<void> =>
    withFaults(
      'stdout',
      async () => {
        refuseFailed();
        const bytes = text === '' ? Buffer.alloc(0) : await packed(Buffer.from(text), format);
        if (bytes.length > 0 && !output.write(bytes)) await once(output, 'drain', { signal });
        refuseFailed();
      },
      signal,
    );

  const openLane = (streams: readonly TargetStream[]): Lane => {
    let lines: string[] = [];
    let tallies = new Map<string, Tally>();
    const forget = async (): Promise<void> => {
      lines = [];
      tallies = new Map();
    };
    return {
      async bulkUpsert(batch: MappedBatch, signal): Promise<readonly RecordFault[]> {
        signal.throwIfAborted();
        const stream = streams.find((one) => one.stream === batch.stream) as TargetStream;
        const columns = format.text === 'csv' ? newColumns(stream, options) : null;
        checkFields(batch, { stream, name: '-', columns });
        const writer = openWriter({ stream, shape: batch.shape, columns, options, onConversion: () => undefined });
        const { lines: made, tally, faults } = batchLines(batch, { stream, writer, options });
        lines = lines.concat(made);
        addTally(tallies, batch.stream, tally);
        return faults;
      },
      async commit(_what: Commit, signal): Promise<CommitResult> {
        const [first] = streams;
        const header = format.text === 'csv' && options.header === true && !headed && first !== undefined && lines.length > 0;
        await write((header ? csvLine(newColumns(first, options), options) : '') + lines.join(''), signal);
        headed ||= header;
        const result = { streams: Object.fromEntries(tallies), lettersResolved: 0 };
        await forget();
        return result;
      },
      discard: forget,
      close: forget,
    };
  };

  return {
    identity: async () => `file:${options.identity ?? 'stdout'}`,
    writes: 'log',
    ops: new Set(options.op === undefined ? (['upsert'] as const) : (['upsert', 'delete'] as const)),
    plan: async (streams) => ({
      streams: streams.map((stream) => ({
        stream: stream.stream,
        target: '-',
        fields: stream.shape.fields.map(({ name, type }) => ({ name, targetType: typeText(type) })),
        forms: ['cells'],
        statements: [],
        creates: false,
        problems: streamProblems(stream, options),
        dependsOn: [],
      })),
    }),
    apply: async () => {},
    openLane: async ({ streams }) => openLane(streams),
    close: async () => {},
  };
}
