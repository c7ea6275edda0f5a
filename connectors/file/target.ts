import { openSqliteControl } from '../../src/sdk.ts';
import type { ConnectorContext, SqliteControl, Target, TargetStream } from '../../src/sdk.ts';
import { createFile, takeFile } from './append.ts';
import { openFileLane, packed } from './lane.ts';
import type { LaneStream } from './lane.ts';
import { checkOptions } from './options.ts';
import type { FileOptions } from './options.ts';
import { openStdoutTarget } from './stdout.ts';
import { openPlace } from './target-files.ts';
import type { TargetFile, TargetPlace } from './target-files.ts';
import { columnsOf, newColumns, planStream } from './target-plan.ts';
import { csvLine } from './write-record.ts';
import { lazyStore } from './lazy-store.ts';

interface Opened {
  readonly place: TargetPlace;
  readonly control: SqliteControl;
}

export function openFileTarget(given: FileOptions, context: ConnectorContext): Target {
  const options = checkOptions(given);
  if (options.path === '-') return openStdoutTarget(options);
  let opening: Promise<Opened> | null = null;
  let planned = new Map<string, TargetStream>();
  const opened = (): Promise<Opened> => {
    opening ??= openPlace(options, context.baseDir).then((place) => ({ place, control: openSqliteControl(place.control) }));
    return opening;
  };

  const laneStream = async (stream: TargetStream, signal: AbortSignal): Promise<LaneStream> => {
    const { place } = await opened();
    const file = place.fileOf(stream);
    return {
      stream,
      file,
      columns: file.format.text === 'csv' ? ((await columnsOf(file, options, signal)) ?? newColumns(stream, options)) : null,
    };
  };

  return {
    identity: async () => `file:${options.identity ?? (await opened()).place.folder}`,
    writes: 'log',
    ops: new Set(options.op === undefined ? (['upsert'] as const) : (['upsert', 'delete'] as const)),
    checkpoints: lazyStore(async () => (await opened()).control.store),
    async plan(streams, signal) {
      const { place } = await opened();
      planned = new Map(streams.map((stream) => [stream.stream, stream]));
      return { streams: await Promise.all(streams.map((stream) => planStream(place, options, stream, signal))) };
    },
    async apply(plan, signal) {
      const { place, control } = await opened();
      for (const { stream: name, statements } of plan.streams) {
        const stream = planned.get(name);
        if (stream === undefined || statements.length === 0) continue;
        const file = place.fileOf(stream);
        const first = await firstBytes(stream, file, options);
        await control.commit(null, {}, signal, (notes) => createFile(notes, file, first));
      }
    },
    async openLane({ owner, streams, checkpoints }, signal) {
      const { place, control } = await opened();
      const into = await Promise.all(streams.map((stream) => laneStream(stream, signal)));
      await control.commit(null, {}, signal, (notes) => {
        for (const { file } of into) takeFile(notes, file);
      });
      return openFileLane({ control, folder: place.folder, owner, streams: into, checkpoints, options });
    },
    async close() {
      const done = await opening?.catch(() => null);
      await done?.control.close();
    },
  };
}

async function firstBytes(stream: TargetStream, { format }: TargetFile, options: FileOptions): Promise<Buffer> {
  if (format.text === 'jsonl' || options.header !== true) return Buffer.alloc(0);
  return packed(Buffer.from(csvLine(newColumns(stream, options), options)), format);
}
