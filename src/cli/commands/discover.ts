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
      changesText(stream),
    ]),
    style: view.style,
    width: view.width,
  });
  const summary = [table, ...adviceLines(streams)].join('\n');
  return fields ? [summary, ...streams.map((stream) => fieldTable(stream, view))].join('\n\n') : summary;
}

/** Without a key a plan refuses the stream, whatever changes it offers. */
function changesText({ changes, shape }: StreamInfo): string {
  const methods = changes.map(methodText).join(', ') || '(none)';
  return shape.key.length === 0 ? `once it has a key: ${methods}` : methods;
}

function adviceLines(streams: readonly StreamInfo[]): string[] {
  const keyless = streams.some((stream) => stream.shape.key.length === 0);
  const changeless = streams.some((stream) => stream.changes.length === 0);
  return [
    ...(keyless ? ['', 'A stream without a key needs an entry of its own with `key: [...]`: columns that are unique and never NULL.'] : []),
    ...(changeless
      ? ['', 'A stream without a change method needs `changes: { by: cursor, field: … }`: a column that every change raises.']
      : []),
  ];
}

function methodText({ by, fields }: StreamInfo['changes'][number]): string {
  return fields === undefined || fields.length === 0 ? by : `${by} (${fields.join(' | ')})`;
}

/** Shares of a sample, where fields are known from one alone: what lies inside of `*` is seen here too. */
function sampleTable({ sample }: StreamInfo, { style, width }: View): string[] {
  if (sample === undefined || sample.paths.length === 0) return [];
  const percent = (share: number): string => `${share > 0 && share < 0.01 ? '<1' : Math.round(share * 100)} %`;
  const rows = sample.paths.map(({ path, share, types }) => [
    path,
    percent(share),
    types.map((one) => (types.length === 1 ? one.type : `${one.type} ${percent(one.share)}`)).join(', '),
  ]);
  const columns = [
    { title: 'path', minWidth: 10 },
    { title: 'of records', align: 'right' as const },
    { title: 'types', minWidth: 8 },
  ];
  return [`in ${countText(sample.records)} records that were looked at\n${tableText({ columns, rows, style, width, indent: 2 })}`];
}

function fieldTable(stream: StreamInfo, view: View): string {
  const { style, width } = view;
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
  const fields = `${style.bold(stream.name)}\n${tableText({ columns, rows, style, width, indent: 2 })}`;
  return [fields, ...sampleTable(stream, view)].join('\n\n');
}
