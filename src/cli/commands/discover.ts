import type { Command } from 'commander';
import type { StreamInfo } from '../../model/contracts.ts';
import { typeText } from '../../model/logical-type.ts';
import { keyNames } from '../../model/shape.ts';
import type { View } from '../outcome.ts';
import type { Dispatch } from '../dispatch.ts';
import { countText } from '../text/quantity.ts';
import { tableText } from '../text/table.ts';
import { requireConnection, withApp } from '../with-app.ts';

interface Flags {
  readonly fields?: boolean;
}

export function addDiscover(program: Command, dispatch: Dispatch): void {
  program
    .command('discover')
    .summary('streams of a connection, their keys and change methods')
    .description('List the streams of a connection: key, estimated rows, and the change methods they offer, best first.')
    .argument('<connection>', 'name of a connection')
    .option('--fields', 'list the fields of every stream as well')
    .action((connection: string, flags: Flags) =>
      dispatch('discover', (session) =>
        withApp(session, async (app) => {
          requireConnection(app, connection);
          const streams = await app.discover(connection, session.signals.stop);
          return {
            exitCode: 0,
            document: { command: 'discover', exitCode: 0, connection, streams: streams.map(streamDocument) },
            text: (view) => discoverText(connection, streams, { view, fields: flags.fields === true }),
          };
        }),
      ),
    );
}

function streamDocument(stream: StreamInfo): Record<string, unknown> {
  const { shape, ...rest } = stream;
  const fields = shape.fields.map((field) => ({
    name: field.name,
    type: typeText(field.type),
    nullable: field.nullable,
    ...(field.native === undefined ? {} : { native: field.native.type }),
  }));
  return { ...rest, key: keyNames(shape), fields };
}

function discoverText(
  connection: string,
  streams: readonly StreamInfo[],
  { view, fields }: { readonly view: View; readonly fields: boolean },
): string {
  if (streams.length === 0) return `'${connection}' has no streams that this role may see`;
  const table = tableText({
    columns: [
      { title: 'stream', minWidth: 12 },
      { title: 'kind' },
      { title: 'key', minWidth: 8 },
      { title: 'rows', align: 'right', optional: true },
      { title: 'fields', align: 'right' },
      { title: 'changes', minWidth: 14 },
    ],
    rows: streams.map((stream) => [
      stream.name,
      stream.kind,
      keyNames(stream.shape).join(', ') || '(none)',
      stream.rowEstimate === undefined ? '' : `~${countText(stream.rowEstimate)}`,
      String(stream.shape.fields.length),
      stream.changes.map(methodText).join(', '),
    ]),
    style: view.style,
    width: view.width,
  });
  return fields ? [table, ...streams.map((stream) => fieldTable(stream, view))].join('\n\n') : table;
}

function methodText({ by, fields }: StreamInfo['changes'][number]): string {
  return fields === undefined || fields.length === 0 ? by : `${by} (${fields.join(' | ')})`;
}

function fieldTable(stream: StreamInfo, { style, width }: View): string {
  const rows = stream.shape.fields.map((field, index) => [
    field.name,
    typeText(field.type),
    field.native?.type ?? '',
    field.nullable ? '' : 'not null',
    stream.shape.key.includes(index) ? 'key' : '',
  ]);
  const columns = [
    { title: 'field', minWidth: 10 },
    { title: 'type' },
    { title: 'native', optional: true, minWidth: 8 },
    { title: 'null', optional: true },
    { title: 'key', optional: true },
  ];
  return `${style.bold(stream.name)}\n${tableText({ columns, rows, style, width, indent: 2 })}`;
}
